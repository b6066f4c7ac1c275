"""Settings that are put on a GenerationConfig after it was made."""

from __future__ import annotations

import libcst as cst

from codemods.facts.held_objects import HeldObject
from codemods.facts.loader_keywords import literal_value
from codemods.plan.sites import CannotRewrite
from codemods.script.purity import is_pure
from codemods.script.script import Script
from lint_rules._flow.values.arguments import Argument
from lint_rules._flow.values.events import Generate
from lint_rules._light.positions import Span


def settings_after(script: Script, call: Generate, name: str) -> dict[str, Argument]:
    """The settings that lines `name.setting = …` put on a config between its making and a call.

    Raises:
        CannotRewrite: Something else may change it: another name for it, a function that gets it, a condition.
    """
    scope = script.home_of(name, call.place.function)
    plain = HeldObject(name, "generation_config")
    (script.module if scope is None else scope).visit(plain)
    given = {script.span(node).start for node in plain.given}
    changes = {script.span(line).start: line for line in plain.changes}
    stores = [use.offset for use in script.stores_of(name, scope)]
    found: dict[str, Argument] = {}
    for use in script.uses(name, scope):
        if use.stores or use.offset in given:
            continue
        line = changes.get(use.offset)
        if line is None:
            row = script.row_at(use.offset)
            raise CannotRewrite(f"line {row} may change the GenerationConfig after it was made")
        _refuse_elsewhere(script, call, line, stores)
        only = line.body[0]
        assert isinstance(only, cst.Assign)
        target = only.targets[0].target
        assert isinstance(target, cst.Attribute)
        found[target.attr.value] = Argument(
            literal_value(only.value), only.value, cst.Arg(only.value)
        )
    return found


def _refuse_elsewhere(
    script: Script, call: Generate, line: cst.SimpleStatementLine, stores: list[int]
) -> None:
    """The change must lie on the only way from the making to the call."""
    only = line.body[0]
    assert isinstance(only, cst.Assign)
    at, end = script.span(line).start, script.span(call.node).start
    block = next(
        (
            block
            for block in (tuple(script.module.body), *script.blocks())
            if line in block and _stores_in(script, block, stores[0])
        ),
        None,
    )
    row = script.line_of(line)
    if block is None or not _holds(script, block, end) or not stores[0] < at < end:
        raise CannotRewrite(f"line {row} may change the GenerationConfig after it was made")
    names = script.names_in(script.span(only.value))
    if not is_pure(only.value) or names & script.stored_in(Span(script.span(line).end, end)):
        raise CannotRewrite("the GenerationConfig may change before the call")


def _stores_in(script: Script, block: tuple[cst.BaseStatement, ...], offset: int) -> bool:
    """Whether a name is stored by a line of the block itself."""
    return any(
        isinstance(line, cst.SimpleStatementLine)
        and script.span(line).start <= offset < script.span(line).end
        for line in block
    )


def _holds(script: Script, block: tuple[cst.BaseStatement, ...], offset: int) -> bool:
    return script.span(block[0]).start <= offset < script.span(block[-1]).end
