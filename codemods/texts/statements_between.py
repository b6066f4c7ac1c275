"""Which statements between tokenising and decoding only serve the two, so that they may fold away."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from codemods.script.purity import is_pure_assignment
from codemods.script.script import Script
from lint_rules._light.positions import Span


def pure_lines(
    script: Script, within: cst.CSTNode | None, region: Span
) -> list[cst.SimpleStatementLine]:
    """The lines `name = expression` of a function, inside a range, whose expression only reads."""
    return [line for line in script.lines_between(within, region) if is_pure_assignment(line)]


def foldable(
    script: Script,
    candidates: Sequence[cst.BaseStatement],
    consumed: Sequence[Span],
    function: cst.FunctionDef | None,
) -> list[cst.BaseStatement]:
    """The candidates whose names are used nowhere but in each other and in consumed code.

    Args:
        script: The script.
        candidates: Statements that only store what they compute.
        consumed: Code that the rewrite replaces.
        function: Where the names live; None is the module.

    Returns:
        The largest such set that the consumed code depends on, in the order of the candidates.
    """
    left = list(candidates)
    changed = True
    while changed:
        changed = False
        spans = [*consumed, *(script.span(node) for node in left)]
        for node in list(left):
            if used_outside(script, node, spans, function):
                left.remove(node)
                changed = True
    return [node for node in left if node in _related(script, left, consumed)]


def used_outside(
    script: Script,
    node: cst.CSTNode,
    spans: Sequence[Span],
    function: cst.FunctionDef | None,
) -> bool:
    """Whether a name that a statement stores is used outside the given ranges."""
    if any(script.is_taken_elsewhere(n, function) for n in script.stored_in(script.span(node))):
        return True
    return any(
        not any(span.start <= use.offset < span.end for span in spans)
        for name in script.stored_in(script.span(node))
        for use in script.uses(name, function)
    )


def _related(
    script: Script, candidates: Sequence[cst.BaseStatement], consumed: Sequence[Span]
) -> set[cst.BaseStatement]:
    """Of the candidates, those whose names the consumed code reads, directly or through others."""
    read = {name for span in consumed for name in script.names_in(span)}
    related: set[cst.BaseStatement] = set()
    changed = True
    while changed:
        changed = False
        for node in candidates:
            span = script.span(node)
            if node not in related and script.stored_in(span) & read:
                related.add(node)
                read |= script.names_in(span)
                changed = True
    return related
