"""Doubts about loads of folders that the script itself writes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from codemods.facts.load_targets import name_of
from codemods.script.definitions import Functions
from codemods.script.model_uses import Calls
from codemods.script.script import Script
from lint_rules._flow.values.events import ModelLoad
from lint_rules._flow.values.syntax import dotted

_CONFIG_FILE = "generation_config.json"
_OPENS = re.compile(r"[\"'][wa]b?[\"']|write_text|copy|dump")
# What a Trainer takes a tokenizer by.
_BRINGS = ("tokenizer", "processing_class", "data_collator")


def saved(script: Script, nodes: frozenset[cst.CSTNode]) -> Iterator[tuple[cst.CSTNode, str]]:
    """The loads of a folder into which the script writes a config of generation, or a model without its tokenizer."""
    yield from _written_configs(script, nodes)
    yield from _bare_folders(script, nodes)


def _written_configs(
    script: Script, nodes: frozenset[cst.CSTNode]
) -> Iterator[tuple[cst.CSTNode, str]]:
    """Loads of a folder into which the script itself writes what the model generates by."""
    text = script.bare
    saves = script.look(Calls, "save_pretrained").found
    configs = [one for one in saves if _is_config(script, one)]
    by_hand = _CONFIG_FILE in text and bool(saves) and _OPENS.search(text) is not None
    folders = {
        script.code(call.args[0].value) for call in (saves if by_hand else configs) if call.args
    }
    for load in script.flow.events(ModelLoad) if folders else ():
        if load.node in nodes and name_of(script, load) in folders:
            yield (
                load.node,
                f"the script writes the {_CONFIG_FILE} that it loads, which the guard replaces",
            )


def _bare_folders(
    script: Script, nodes: frozenset[cst.CSTNode]
) -> Iterator[tuple[cst.CSTNode, str]]:
    """Loads of a folder into which the script itself writes a model, and no tokenizer."""
    into: dict[str, set[str]] = {}
    for call in script.look(Calls, "save_pretrained").found:
        owner = script.code(call.func.value) if isinstance(call.func, cst.Attribute) else ""
        if call.args:
            into.setdefault(script.code(call.args[0].value), set()).add(owner)
    for call in script.look(Calls, "save_model").found:
        if call.args and not script.once(_trainer_saves_tokenizer):
            into.setdefault(script.code(call.args[0].value), set()).add("trainer")
    never = bool(into) and all(map(_lacks_tokenizer, into.values()))
    for load in script.flow.events(ModelLoad) if into else ():
        name = name_of(script, load) or ""
        bare = name in into and _lacks_tokenizer(into[name])
        bare = bare or (never and _is_given_a_name(script, load, name))
        if load.node in nodes and bare:
            yield (
                load.node,
                "the script writes its folder without a tokenizer, which the loader needs",
            )


def _lacks_tokenizer(owners: set[str]) -> bool:
    """Whether nothing that is called like a tokenizer is saved into a folder."""
    return not any("tok" in owner.lower() for owner in owners)


def _is_given_a_name(script: Script, load: ModelLoad, name: str) -> bool:
    """Whether a function loads by a name that it is given, and a model is saved outside of it: there, perhaps."""
    function = load.place.function
    if function is None or all(name != one.name.value for one in function.params.params):
        return False
    span = script.span(function)
    saves = (script.span(call).start for call in script.look(Calls, "save_pretrained").found)
    return not all(span.start <= start < span.end for start in saves)


def _trainer_saves_tokenizer(script: Script) -> bool:
    """Whether a Trainer is given a tokenizer, which it saves with its model, itself or by its collator."""
    return any(
        argument.keyword is not None and argument.keyword.value in _BRINGS
        for call in script.look(Calls, None).found
        if (dotted(call.func) or "").endswith("Trainer")
        for argument in call.args
    )


def _is_config(script: Script, call: cst.Call) -> bool:
    """Whether it is a GenerationConfig that is saved."""
    owner = call.func.value if isinstance(call.func, cst.Attribute) else None
    if owner is None or (dotted(owner) or "").endswith("generation_config"):
        return owner is not None
    values = [owner]
    if isinstance(owner, cst.Name):
        scopes: list[cst.FunctionDef | None] = [None, *script.look(Functions).every]
        values += [
            value for scope in scopes for value in script.assigned_values(owner.value, scope)
        ]
    return any("GenerationConfig" in script.code(value) for value in values)
