"""Where a load's result goes, and which names its loader and provenance get beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import libcst as cst

from codemods.facts.purposes import trains
from codemods.script.script import Script
from lint_rules._flow.values.events import ModelLoad, TokenizerLoad

_STAYS_MODEL = ("eval", "to", "cuda", "cpu", "half", "float", "bfloat16")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a load's result goes: `model`, `self.model`, `self.models["base"]`."""

    text: str
    statement: cst.SimpleStatementLine


def name_of(script: Script, load: ModelLoad | TokenizerLoad) -> str | None:
    """The model that a load names, as written; None where it names none."""
    given = load.args.get("pretrained_model_name_or_path", 0)
    return None if given is None or given.expression is None else script.code(given.expression)


def target_of(script: Script, load: ModelLoad | TokenizerLoad) -> Target | None:
    """Where the load's result is assigned, None where it is used in place."""
    line = load.place.line
    if line is None or len(line.body) != 1:
        return None
    statement = line.body[0]
    if not isinstance(statement, cst.Assign) or len(statement.targets) != 1:
        return None
    value = statement.value
    while value is not load.node:
        if not (isinstance(value, cst.Call) and isinstance(value.func, cst.Attribute)):
            return None
        if isinstance(load, TokenizerLoad) or value.func.attr.value not in _STAYS_MODEL:
            return None
        value = value.func.value
    target = statement.targets[0].target
    if isinstance(target, (cst.Name, cst.Attribute, cst.Subscript)):
        return Target(script.code(target), line)
    return None


def chained_calls(script: Script, model: ModelLoad, target: Target) -> str:
    """`.to("cuda")` after the load, to be written as its own statement; the loader does `.eval()`."""
    statement = target.statement.body[0]
    assert isinstance(statement, cst.Assign)
    calls: list[str] = []
    value = statement.value
    while value is not model.node and isinstance(value, cst.Call):
        function = value.func
        assert isinstance(function, cst.Attribute)
        if function.attr.value != "eval" or trains(script):
            end = script.span(value).end
            calls.append(script.utf8[script.span(function.value).end : end].decode())
        value = function.value
    return "".join(reversed(calls))


_LISTS = re.compile(
    r"__slots__|__setattr__|__dict__|(?<![.\w])(vars|dir|asdict)\(|def (clean_)?provenance|slots=|frozen="
)


def names_for(script: Script, model: ModelLoad, target: str) -> tuple[str, str]:
    """Names for the loader and the provenance beside a model target, free in this module.

    The only load of a function gets `loader` and `provenance` (`self.provenance` beside `self.model`);
    of several, each but the base's gets names of its own: `sft_loader`, `sft_provenance`.
    """
    owner, _, attribute = target.rpartition(".")
    plain = attribute.split("[")[0]
    key = "".join(char if char.isalnum() else "_" for char in attribute[len(plain) :]).strip("_")
    stem = (key or plain).removesuffix("_model").removesuffix("_base")
    loads, targets = script.once(_targets)[model.place.function]
    alone = loads == 1 or stem in ("model", "base") or len(targets) == 1
    short = "" if alone else f"{stem}_"
    loader, provenance = _free(script, f"{short}loader"), f"{short}provenance"
    if owner and _LISTS.search(script.source.text):
        return loader, _free(
            script, provenance
        )  # a class may take no attribute more, or show them all
    if owner:
        taken = script.has_attribute(provenance)
        return loader, f"{owner}.{'clean_' if taken else ''}{provenance}"
    return loader, _free(script, provenance)


def class_named(load: ModelLoad | TokenizerLoad) -> str:
    """The class that a load is called on, without its module."""
    return load.api.rsplit(".", 2)[-2]


def _targets(script: Script) -> dict[cst.FunctionDef | None, tuple[int, set[str | None]]]:
    """How many models each function loads, and where to."""
    found: dict[cst.FunctionDef | None, list[str | None]] = {}
    for load in script.flow.events(ModelLoad):
        target = target_of(script, load)
        texts = found.setdefault(load.place.function, [])
        texts.append(None if target is None else target.text)
    return {function: (len(texts), set(texts)) for function, texts in found.items()}


def _free(script: Script, name: str) -> str:
    return f"clean_{name}" if script.is_taken(name) else name
