"""Tokenizers in a file that loads no model, where a model that stays as it is may read or make what they make."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Set

import libcst as cst

from codemods.facts.other_holds import has_guarded_model
from codemods.plan.planned import Unguarded
from codemods.script.model_uses import Calls
from codemods.script.script import Script
from lint_rules._flow.values.events import ModelLoad, TokenizerLoad
from lint_rules._flow.values.kinds import ModelId
from lint_rules._flow.values.syntax import dotted

# Classes of models, and classes that have a tokenizer of their own or none.
_MODELS = re.compile(r"LM\b|LMHead|Model\b|CausalLM|Transformer\b|^[a-z_]*model$")
_OTHERS = re.compile(
    r"Sequence|Token|Masked|Question|Seq2Seq|Conditional|Vision|Audio|Image|CLIP|Sentence|Cross|Peft|Bert|T5|Bart|^super|^cls|^self"
)


def unguarded(
    script: Script, done: Set[cst.CSTNode] = frozenset(), by_choice: Set[cst.CSTNode] = frozenset()
) -> frozenset[Unguarded]:
    """The model loads of a script that the loader does not take over, but for those that a person wants so.

    Args:
        script: The script.
        done: What is rewritten.
        by_choice: What a person wants to be left.
    """
    return frozenset(
        Unguarded(script.path.name, script.line_of(load.node), _name(load.model))
        for load in script.flow.events(ModelLoad)
        if load.node not in done | by_choice
    ) | script.once(of_own_classes)


def of_own_classes(script: Script) -> frozenset[Unguarded]:
    """The loads of models by classes that are not the library's: `PromptedLM.from_pretrained(name)`."""
    known = {load.node for load in script.flow.events(ModelLoad)}
    known |= {load.node for load in script.flow.events(TokenizerLoad)}
    found: set[Unguarded] = set()
    for call in script.look(Calls, "from_pretrained").found:
        owner = (dotted(call.func) or "").rpartition(".")[0]
        if call in known or not _MODELS.search(owner) or _OTHERS.search(owner):
            continue
        first = call.args[0].value if call.args else None
        name = str(first.evaluated_value) if isinstance(first, cst.SimpleString) else None
        found.add(Unguarded(script.path.name, script.line_of(call), name))
    return frozenset(found)


def lone(script: Script, done: Set[cst.CSTNode]) -> dict[cst.CSTNode, str | None]:
    """The tokenizers that are rewritten in a script without a model of the loader's, with their names if known."""
    if has_guarded_model(script, done):
        return {}
    loads = script.flow.events(TokenizerLoad)
    return {load.node: _name(load.model) for load in loads if load.node in done}


def beside(
    tokenizers: dict[cst.CSTNode, str | None], others: Collection[Unguarded]
) -> dict[cst.CSTNode, str]:
    """The lone tokenizers that a model may go with which is not guarded, with the reason.

    Args:
        tokenizers: Those, with their names.
        others: The model loads of other files of the run that stay as they are, or are watched.
    """
    found: dict[cst.CSTNode, str] = {}
    for node, name in tokenizers.items():
        for one in sorted(others, key=lambda one: (one.file, one.line)):
            if one.may_go_with(name):
                found[node] = (
                    f"{one.file}:{one.line} loads a model that it may go with, not guarded"
                )
                break
    return found


def _name(model: ModelId) -> str | None:
    return model.text if model.fixed else None


def beside_raw(
    script: Script, done: Set[cst.CSTNode], reasons: Mapping[cst.CSTNode, str]
) -> dict[cst.CSTNode, str]:
    """The models that would be guarded while a tokenizer stays that may be theirs, under another name."""
    tokenizers = [one for one in script.flow.events(TokenizerLoad) if one.node in reasons]
    stays = [one for one in tokenizers if one.node not in done]
    found: dict[cst.CSTNode, str] = {}
    for load in script.flow.events(ModelLoad):
        for one in stays if load.node in done else ():
            if load.model.text == one.model.text:
                line = script.line_of(one.node)
                found[load.node] = f"all of a model or none: line {line} stays, {reasons[one.node]}"
    return found
