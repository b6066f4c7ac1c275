"""Loads of models by a name, whatever class takes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

import libcst as cst

from codemods.loads.partners import model_text
from codemods.script.definitions import Classes
from codemods.script.model_uses import Calls
from codemods.script.script import Script
from lint_rules._flow.values.events import ModelLoad, TokenizerLoad
from lint_rules._flow.values.syntax import dotted

_Load = ModelLoad | TokenizerLoad
_MODELS = ("Model", "ForCausalLM", "LMHeadModel")


def of_other_classes(
    script: Script, group: Sequence[_Load], known: Set[cst.CSTNode]
) -> Iterator[tuple[cst.CSTNode, str]]:
    """Loads of a model by the same name through a class that is not followed, such as one of the script's own."""
    names = {_name_of(script, load.node, model_text(script, load.args)) for load in group} - {None}
    by_name = script.once(_loads_by_name)
    for name in sorted(names & by_name.keys(), key=str):
        for node, owner in by_name[name]:
            if node not in known:
                yield node, f"`{owner}` loads the model, and the loader does not take that class"


def _name_of(script: Script, node: cst.CSTNode, text: str | None) -> str | None:
    """A model's name as written; an attribute of `self` is one for each class."""
    if text is None or not text.startswith("self."):
        return text
    at = script.span(node).start
    spans = [script.span(one) for one in script.look(Classes).every]
    around = [span.start for span in spans if span.start <= at < span.end]
    return f"{text} {max(around, default=0)}"


def _loads_by_name(script: Script) -> dict[str | None, list[tuple[cst.Call, str]]]:
    """The loads of models by their name as written, with the class."""
    found: dict[str | None, list[tuple[cst.Call, str]]] = {}
    for node in script.look(Calls, "from_pretrained").found:
        plain = [arg.value for arg in node.args if arg.keyword is None and not arg.star]
        owner = (dotted(node.func) or "").rpartition(".")[0].rpartition(".")[2]
        if not plain or not (owner.endswith(_MODELS) or "model" in owner.lower()):
            continue
        first_ = plain[0]

        literal = first_.evaluated_value if isinstance(first_, cst.SimpleString) else None
        name = script.code(first_) if literal is None else repr(literal)
        found.setdefault(_name_of(script, node, name), []).append((node, owner))
    return found
