"""Planned sites of a notebook, at their cells and lines, and not at those of all its cells in one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from cleanguard.catalogue.findings import Position
from codemods.plan.planned import PlannedSite

_LINE = re.compile(r"\bline (\d+)\b")


def placed(
    sites: Iterable[PlannedSite], place: Callable[[int], Position | None]
) -> tuple[PlannedSite, ...]:
    """The sites with their cells, and the cells of the lines that are named in what is said of them.

    Args:
        sites: What is planned.
        place: Cell and line of a line; None in a script, whose lines are its own.
    """

    def named(found: re.Match[str]) -> str:
        at = place(int(found[1]))
        return found[0] if at is None else f"cell {at.cell}, line {at.row}"

    def told(text: str) -> str:
        return _LINE.sub(named, text)

    return tuple(
        replace(
            site,
            place=place(site.row),
            reason=None if site.reason is None else told(site.reason),
            notes=tuple(replace(note, text=told(note.text)) for note in site.notes),
        )
        for site in sites
    )
