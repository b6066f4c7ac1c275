"""Quantization configs: said to the loader as keywords, and taken out of the script.

A config that is made once, before the load, becomes `load_in_8bit=True` there. One that is made on a
condition, in a helper or in a dict of keywords keeps its control flow and becomes a dict of the
loader's keywords: `config = {"load_in_8bit": True}`, `config = {}` for None, `**config` in the load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Note, Site
from codemods.quantization.config_uses import refuse_changed
from codemods.quantization.keywords import carry_quantization
from codemods.script.definitions import returned
from codemods.script.script import Script
from lint_rules._flow.values.events import ModelLoad, QuantConfigBuild
from lint_rules._flow.values.syntax import dotted

_SUMMARY = "say the quantization to CleanModelLoader"


@dataclass(frozen=True, slots=True)
class Said:
    """How a load says its quantization to the loader.

    Attributes:
        arguments: Arguments of CleanModelLoader.
        notes: What was carried, dropped or changed.
        edits: Where configs become dicts.
        names: Variables and helpers that become dicts; each of their uses must be migrated.
        touched: Uses of them that are seen to, besides the edited code.
    """

    arguments: tuple[str, ...]
    notes: tuple[Note, ...] = ()
    edits: tuple[Edit, ...] = ()
    names: tuple[tuple[str, cst.FunctionDef | None], ...] = ()
    touched: tuple[Edit, ...] = ()


def say(script: Script, load: ModelLoad, node: cst.BaseExpression) -> Said:
    """The quantization that an expression gives to a load, `None` for none.

    Raises:
        CannotRewrite: It is made where this tool does not follow it, or is none that the loader has.
    """
    build = _build_at(script, node)
    if isinstance(node, cst.Name):
        refuse_changed(script, node.value, script.home_of(node.value, load.place.function))
        build = build or _only_build(script, load, node.value)
    if build is not None:
        bits, notes = carry_quantization(script, build.args, load.args)
        return Said(tuple(f"{name}={value}" for name, value in bits), tuple(notes))
    found = as_mapping(script, load.place.function, node)
    code = script.code(node)
    if isinstance(node, cst.IfExp):
        code = f"({_edited(script, node, found.edits)})"
        return Said((f"**{code}",), found.notes, _outside(script, node, found.edits), found.names)
    return Said((f"**{code}",), found.notes, found.edits, found.names)


def as_mapping(script: Script, function: cst.FunctionDef | None, node: cst.BaseExpression) -> Said:
    """Turns what an expression holds into dicts of loader keywords, wherever that is made.

    Raises:
        CannotRewrite: Some of it cannot be seen.
    """
    build = _build_at(script, node)
    if build is not None:
        bits, notes = carry_quantization(script, build.args)
        text = ", ".join(f'"{name}": {value}' for name, value in bits)
        span = script.span(node)
        return Said((), tuple(notes), (Edit(span.start, span.end, f"{{{text}}}"),))
    if isinstance(node, cst.Name) and node.value == "None":
        span = script.span(node)
        return Said((), (), (Edit(span.start, span.end, "{}"),))
    if isinstance(node, cst.IfExp):
        return _together(
            [as_mapping(script, function, node.body), as_mapping(script, function, node.orelse)]
        )
    if isinstance(node, cst.Name):
        return _variable(script, function, node.value)
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and not node.args:
        return _helper(script, node.func.value)
    made = (dotted(node.func) or "") if isinstance(node, cst.Call) else ""
    if made.endswith("Config"):
        raise CannotRewrite(
            f"`{made}` is no config of bitsandbytes, which the loader quantizes with"
        )
    if isinstance(node, cst.Dict):
        raise CannotRewrite("a dict stands for the quantization config")
    shown = f"`{made}(…)`" if made else "an expression"
    raise CannotRewrite(f"{shown} gives the quantization config, which is not seen through")


def _together(parts: Sequence[Said], *names: tuple[str, cst.FunctionDef | None]) -> Said:
    return Said(
        (),
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        tuple(edit for part in parts for edit in part.edits),
        (*names, *(name for part in parts for name in part.names)),
    )


def _variable(script: Script, function: cst.FunctionDef | None, name: str) -> Said:
    scope = script.home_of(name, function)
    values = script.assigned_values(name, scope)
    if not values or len(values) != len(script.stores_of(name, scope)):
        raise CannotRewrite(f"`{name}`, the quantization config, comes from elsewhere")
    refuse_taken(script, name, scope)
    return _together([as_mapping(script, scope, value) for value in values], (name, scope))


def _helper(script: Script, name: str) -> Said:
    """A function of this module that takes nothing and returns a config or None."""
    definitions = [
        node
        for node in script.module.body
        if isinstance(node, cst.FunctionDef) and node.name.value == name
    ]
    if len(definitions) != 1:
        raise CannotRewrite("the quantization config is made elsewhere")
    refuse_taken(script, name, None)
    found = returned(definitions[0])
    values = [value for value in found if value is not None]
    if not values or None in found:
        raise CannotRewrite("the quantization config is made elsewhere")
    return _together([as_mapping(script, definitions[0], value) for value in values], (name, None))


def refuse_taken(script: Script, name: str, scope: cst.FunctionDef | None) -> None:
    """Raise CannotRewrite if another file takes what would no longer be what it was."""
    if script.is_taken_elsewhere(name, scope):
        raise CannotRewrite(f"another file takes `{name}` from this one")


def _build_at(script: Script, node: cst.BaseExpression) -> QuantConfigBuild | None:
    return script.flow.event_at(node, QuantConfigBuild)


def _only_build(script: Script, load: ModelLoad, name: str) -> QuantConfigBuild | None:
    """The one config that a variable can hold at a load: made once, on no condition of its own."""
    scope = script.home_of(name, load.place.function)
    values = script.assigned_values(name, scope)
    if len(values) != 1 or len(script.stores_of(name, scope)) != 1:
        return None
    build = _build_at(script, values[0])
    if build is None or build.place.function is not scope:
        return None
    parents = build.place.parents
    if scope is not load.place.function:
        return None if parents else build
    return build if parents == load.place.parents[: len(parents)] else None


def _edited(script: Script, node: cst.CSTNode, edits: Sequence[Edit]) -> str:
    span = script.span(node)
    text = script.utf8[span.start : span.end]
    for edit in sorted(edits, reverse=True):
        if span.start <= edit.start < span.end:
            at = edit.start - span.start
            text = text[:at] + edit.text.encode() + text[edit.end - span.start :]
    return text.decode()


def _outside(script: Script, node: cst.CSTNode, edits: Sequence[Edit]) -> tuple[Edit, ...]:
    span = script.span(node)
    return tuple(edit for edit in edits if not span.start <= edit.start < span.end)


def rewrite(script: Script, edits: Sequence[Edit]) -> list[Site]:
    """The sites of quantization configs, given the edits of the loads that used them."""
    sites: list[Site] = []
    for build in script.flow.events(QuantConfigBuild):
        if not script.reports("CG104", build.node):
            continue
        try:
            sites.append(Site("CG104", build.node, _SUMMARY, _removal(script, build, edits)))
        except CannotRewrite as reason:
            sites.append(Site("CG104", build.node, _SUMMARY, reason=str(reason)))
    return sites


def _removal(script: Script, build: QuantConfigBuild, edits: Sequence[Edit]) -> tuple[Edit, ...]:
    start = script.span(build.node).start
    if any(edit.covers(start) for edit in edits):
        return ()
    statement = script.statement(build.place)
    assignment = statement.body[0]
    if not isinstance(assignment, cst.Assign) or assignment.value is not build.node:
        raise CannotRewrite("the config is part of a larger expression")
    target = assignment.targets[0].target
    if len(assignment.targets) != 1 or not isinstance(target, cst.Name):
        raise CannotRewrite("the config is not assigned to a plain name")
    refuse_taken(script, target.value, build.place.function)
    own = script.span(statement)
    uses = script.uses(target.value, build.place.function)
    if all(use.stores for use in uses):
        raise CannotRewrite("nothing in this file uses the config")
    for use in sorted(uses, key=lambda use: use.stores):  # who reads it says more than who binds it
        inside = own.start <= use.offset < own.end or any(edit.covers(use.offset) for edit in edits)
        if not inside:
            row = script.row_at(use.offset)
            raise CannotRewrite(f"line {row} uses `{target.value}` as it is")
    if len(build.place.block) == 1:
        raise CannotRewrite("the config is the only statement of its block")
    return (script.delete(statement),)
