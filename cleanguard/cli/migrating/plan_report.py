"""A migration's plan for people: what is rewritten, what is left to them and why, and the diff."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cleanguard.editing.patch import unified
from cleanguard.files import NOTEBOOKS
from cleanguard.report.counting import counted
from cleanguard.report.escaping import printable
from cleanguard.report.styled import Line, Span, wrapped

if TYPE_CHECKING:
    from codemods.migration import Migration, PlannedSite

_NOTE_COLOUR = {"carried": "cyan", "dropped": "cyan", "changed": "yellow", "fault": "bold red"}


def table(plans: Sequence[Migration], width: int | None) -> list[Line]:
    """One row per file that has a site: how many are rewritten and how many left."""
    shown = [plan for plan in plans if plan.sites or plan.also]
    if not shown:
        return []
    room = max(len(plan.filename) for plan in shown)
    room = min(room, (width or 80) - 22)
    lines: list[Line] = [[Span(f"{'file':<{room}}  rewritten  left to you", "bold")]]
    for plan in shown:
        name = plan.filename if len(plan.filename) <= room else "…" + plan.filename[-(room - 1) :]
        left, done = len(plan.left), len(plan.done)
        lines.append(
            [
                Span(f"{printable(name):<{room}}  "),
                Span(f"{done:>9}", "green" if done else ""),
                Span(f"  {left:>11}", "yellow" if left else ""),
            ]
        )
    return lines


def sites(plan: Migration, width: int | None) -> Iterator[Line]:
    """The sites of one file with their notes and reasons."""
    yield [Span(printable(plan.filename), "bold")]
    if plan.refusal:
        yield from wrapped([Span("  refused  ", "bold red")], plan.refusal, width)
    for site in _distinct((*plan.sites, *plan.also)):
        head = [Span(f"{site.line:>6}  ", "blue"), Span(f"{site.code}  ", "bold")]
        if site.reason is None:
            yield from wrapped(head, site.summary, width)
        else:
            yield from wrapped([*head, Span("left to you: ", "yellow")], site.reason, width)
        for note in site.notes:
            label = Span(f"{'':>8}{note.kind:<8} ", _NOTE_COLOUR[note.kind])
            yield from wrapped([label], note.text, width)


def diff(plan: Migration) -> Iterator[Line]:
    """The patch of one file, coloured; of a notebook, the text of each cell that changes."""
    for raw in _patch(plan).splitlines():
        text = raw.decode("utf-8", errors="replace").rstrip("\r")
        style = {"+": "green", "-": "red", "@": "cyan"}.get(text[:1], "")
        yield [Span(printable(text.replace("\t", "    ")), style)]


def _patch(plan: Migration) -> bytes:
    if not plan.filename.endswith(NOTEBOOKS):
        return unified(plan.filename, plan.before, plan.after)
    from lint_rules._run.notebook import cells

    pairs = zip(cells(plan.before), cells(plan.after), strict=True)
    return b"".join(
        unified(f"{plan.filename}:cell {number}", f"{old}\n".encode(), f"{new}\n".encode())
        for (number, old), (_, new) in pairs
    )


def summary(plans: Sequence[Migration], written: bool, width: int | None) -> list[Line]:
    """What was, or would be, done in all."""
    files = [plan for plan in plans if plan.changed]
    done = sum(len(plan.done) for plan in files)
    left = sum(len(plan.left) for plan in plans)
    refused = sum(plan.refusal is not None for plan in plans)
    if not done and not left and not refused:
        return [[Span(f"Nothing to migrate in {counted(len(plans), 'file')}.", "bold green")]]
    verb = "Rewrote" if written else "Would rewrite"
    watched = sum(site.watched for plan in files for site in plan.done)
    where = f"{counted(done, 'place')} in {counted(len(files), 'file')}"
    tier = f", {'all' if watched == done else watched} of them watched" if watched else ""
    text = f"{verb} {where}{', watched' if watched == done == 1 else tier}; {left} left to you."
    if refused:
        text += f" Refused {counted(refused, 'file')} whose rewrite could not be proven."
    lines = wrapped([], text, width, "bold")
    if done and not written:
        lines += wrapped([], "`cleanguard migrate --write` does it.", width)
    return lines


def _distinct(planned: Sequence[PlannedSite]) -> list[PlannedSite]:
    """The sites without repetitions, such as the two lines that alias one pad token."""
    return list(dict.fromkeys(planned))
