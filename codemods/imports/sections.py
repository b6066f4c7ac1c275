"""Where the loader's import stands in a notebook: cells are run by themselves, and in another order than they stand."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import libcst as cst

from codemods.imports.statements import IMPORT, Import, is_ours
from codemods.plan.edits import Edit
from codemods.script.script import Script
from lint_rules._flow.values.syntax import dotted


def of_cells(
    script: Script,
    losing: Sequence[Import],
    missing: Sequence[Edit],
    every: Sequence[Import],
    cells: Sequence[int],
) -> list[Import]:
    """The first import of each cell of a notebook that loses one, where a cell with a call may import by it."""
    found: dict[int, Import] = {}
    for item in losing if cells else ():
        found.setdefault(bisect_right(cells, script.span(item.line).start), item)
    calling = {bisect_right(cells, edit.start) for edit in missing}
    ours = [item for item in every if is_ours(item.node) and item.line in script.module.body]
    importing = {bisect_right(cells, script.span(item.line).start) for item in ours}
    if calling <= importing:  # each has its own
        return [item for cell, item in found.items() if cell in calling]
    return list(found.values())


def in_other_cells(
    script: Script,
    missing: Sequence[Edit],
    every: Sequence[Import],
    arriving: Sequence[Edit],
    cells: Sequence[int],
) -> list[Edit]:
    """The loader's import in cells of a notebook that import all that they use, and may be run without those above."""
    known = {bisect_right(cells, edit.start) for edit in arriving}
    found: dict[int, Edit] = {}
    for edit in missing:
        cell = bisect_right(cells, edit.start)
        for item in every if cell not in known else ():
            start = script.lines_of(item.line).start
            ours = is_ours(item.node) and item.line in script.module.body and _is_of_models(item)
            if ours and bisect_right(cells, start) == cell and start < edit.start:
                found.setdefault(cell, with_import(script, item))
    return list(found.values())


def _is_of_models(item: Import) -> bool:
    """Whether an import brings models: torch alone is no sign of a section that begins anew."""
    node = item.node
    modules = (
        [alias.name for alias in node.names] if isinstance(node, cst.Import) else [node.module]
    )
    return any(
        (dotted(one) or "").partition(".")[0] != "torch" for one in modules if one is not None
    )


def in_calling_cells(script: Script, missing: Sequence[Edit], cells: Sequence[int]) -> list[Edit]:
    """Below the first imports of each cell with a call, none of which stands below an import of theirs."""
    places: dict[int, int] = {}
    calling = {bisect_right(cells, edit.start) for edit in missing}
    for line in script.module.body:
        span = script.lines_of(line)
        cell = bisect_right(cells, span.start)
        if cell not in calling or script.is_foreign(line):
            continue
        imports = isinstance(line, cst.SimpleStatementLine) and isinstance(
            line.body[0], (cst.Import, cst.ImportFrom)
        )
        if imports and places.get(cell, span.start) == span.start:
            places[cell] = span.end
        places.setdefault(cell, span.start)
    return [Edit(at, at, f"{IMPORT}{script.newline}") for at in places.values()]


def with_import(script: Script, item: Import) -> Edit:
    """The loader's import and another, in its place: what is inserted at a cell's start ends the one above."""
    span = script.lines_of(item.line)
    text = script.utf8[span.start : span.end].decode()
    return Edit(span.start, span.end, f"{IMPORT}{script.newline}{text}")
