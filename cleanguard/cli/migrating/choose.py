"""`cleanguard migrate --interactive`: asks about each site, yes, no, all of the file, or skip it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from cleanguard.errors import JobError
from cleanguard.report.escaping import printable
from cleanguard.report.spoken import say
from codemods.plan.options import Wishes

if TYPE_CHECKING:
    from codemods.migration import Migration, PlannedSite

_HELP = "y: rewrite, n: leave, a: this and the rest of the file, s: skip the file, q: leave all the rest"


def choose(
    plans: Sequence[Migration], wishes: Wishes, replan: Callable[[Migration, Wishes], Migration]
) -> list[Migration]:
    """The plans with what the person at the terminal wants.

    Args:
        plans: The plans of all files.
        wishes: What was wanted on the command line.
        replan: Plans a file again with other wishes.

    Raises:
        JobError: What is asked of, and is no terminal, ended before every place was asked for.
    """
    chosen: list[Migration] = []
    leaving = False
    for plan in plans:
        declined: set[tuple[str, int]] = set()
        mode = "n" if leaving else ""
        for site in _asked(plan):
            answer = mode or _ask(plan, site)
            mode = {"a": "y", "s": "n", "q": "n"}.get(answer, mode)
            leaving = leaving or answer == "q"
            if answer in ("n", "s", "q"):
                declined.add((site.code, site.row))
        wanted = replace(wishes, declined=wishes.declined | declined)
        chosen.append(replan(plan, wanted) if declined else plan)
    return chosen


def _lines(plan: Migration, site: PlannedSite) -> tuple[Sequence[str], int]:
    """The lines of the file, or of the cell, that a site is in, and which is its."""
    from lint_rules._run.notebook import cells
    from lint_rules._run.source import readable

    if site.place is None:
        text = readable(plan.before).replace("\r\n", "\n").replace("\r", "\n")
        return text.split("\n"), site.row
    return dict(cells(plan.before))[site.place.cell].split("\n"), site.place.row


def _asked(plan: Migration) -> list[PlannedSite]:
    return list(dict.fromkeys(site for site in plan.automatic if plan.changed))


def _ask(plan: Migration, site: PlannedSite) -> str:
    lines, row = _lines(plan, site)
    code = lines[row - 1].strip() if row <= len(lines) else ""
    say(f"{printable(plan.filename)}:{site.line}: {site.code} {site.summary}")
    say(f"    {printable(code)}")
    for note in site.notes:
        say(f"    {note.kind}: {printable(note.text)}")
    while True:
        try:
            answer: str = click.prompt("  rewrite [y,n,a,s,q,?]", default="y", show_default=False)
        except click.Abort:
            if sys.stdin.isatty():
                raise
            raise JobError(
                "the answers ended before every place was asked for, and nothing was written; "
                "answer each, or leave --interactive out"
            ) from None
        if answer.lower() in ("y", "n", "a", "s", "q"):
            return answer.lower()
        say(f"  {_HELP}")
