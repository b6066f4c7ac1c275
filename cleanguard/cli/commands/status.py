"""`cleanguard status`: which scripts are clean, pending, migrated or left out."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import click

from cleanguard.cli.exit_codes import CANNOT_DO, CLEAN, FINDINGS
from cleanguard.cli.inputs import inputs_of
from cleanguard.cli.overrides import Overrides
from cleanguard.cli.progress import bar
from cleanguard.cli.report_options import configuration_options
from cleanguard.files import NOTEBOOKS, SUFFIXES, discover
from cleanguard.report.escaping import code_for_markdown
from cleanguard.report.hidden import as_document
from cleanguard.report.spoken import put, say

if TYPE_CHECKING:
    from codemods.planning import Migration, Unread

State = Literal["clean", "pending", "migrated", "excluded", "unreadable"]
_ORDER: tuple[State, ...] = ("pending", "unreadable", "migrated", "clean", "excluded")
_COLOUR = {
    "pending": "yellow",
    "unreadable": "bold red",
    "migrated": "green",
    "clean": "",
    "excluded": "",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one script stands.

    Attributes:
        filename: As the user would write it.
        state: What it is.
        auto: Places that `cleanguard migrate` rewrites.
        manual: What is left to a person after that: all that `cleanguard check` would report then.
        findings: What `cleanguard check` reports today.
        why: The reason, for a file that cannot be read or whose rewrite cannot be proven.
        watched: Loads and generations that are watched already, not guarded.
    """

    filename: str
    state: State
    auto: int = 0
    manual: int = 0
    findings: int = 0
    why: str | None = None
    watched: int = 0


@click.command("status")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option(
    "--output-format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    help="Markdown is a page for a registry.",
)
@configuration_options
@click.pass_context
def command(
    ctx: click.Context, paths: tuple[str, ...], form: str, config: tuple[str, ...], isolated: bool
) -> None:
    """Say for each script whether it is clean, pending, migrated or excluded.

    Exit codes: 0 nothing is pending, 1 something is or cannot be read, 2 a configuration cannot be used.
    """
    inputs = inputs_of(paths, Overrides(config=config, isolated=isolated), notebooks=True)
    settings, files = inputs.settings, inputs.files
    # Only now: it imports libcst.
    from codemods.plan.options import WATCHING
    from codemods.planning import Planner

    taken = {file.path.resolve() for file in files}
    with bar(doing="Planning") as progress:
        plans = Planner(files, settings).plans(WATCHING, progress)
        found = [_standing_of(one) for one in plans]
    found += [
        Standing(file.name, "unreadable", why="its folder's configuration cannot be used")
        if inputs.refuses(file.path)
        else Standing(file.name, "excluded")
        for file in discover(paths or (".",), (), settings.root, suffixes=SUFFIXES + NOTEBOOKS)
        if file.path.resolve() not in taken
    ]
    found.sort(key=lambda item: item.filename)
    _show(found, form)
    for problem in inputs.problems:
        say(f"cleanguard: {problem}", err=True)
    if inputs.problems:
        ctx.exit(CANNOT_DO)
    ctx.exit(FINDINGS if any(item.state in ("pending", "unreadable") for item in found) else CLEAN)


def _standing_of(outcome: Migration | Unread) -> Standing:
    from codemods.planning import Unread

    if isinstance(outcome, Unread):
        where = outcome.line.removeprefix(outcome.name).removeprefix(":")
        why = f"line {where}: {outcome.reason}" if where else outcome.reason
        return Standing(outcome.name, "unreadable", why=why)
    plan = outcome
    if plan.unread:
        why = "; ".join(plan.unread)
        return Standing(
            plan.filename, "unreadable", len(plan.done), len(plan.left), plan.found, why
        )
    watched = plan.already_watched
    if plan.done or plan.left:
        given = len(plan.done), len(plan.left), plan.found, plan.refusal
        return Standing(plan.filename, "pending", *given, watched)
    state: State = "migrated" if plan.guarded else "clean"
    return Standing(plan.filename, state, watched=watched)


def _show(found: Sequence[Standing], form: str) -> None:
    totals = Counter(item.state for item in found)
    if form == "json":
        document = {
            "totals": {state: totals[state] for state in _ORDER},
            "scripts": [asdict(item) for item in found],
        }
        put(as_document(document))
    elif form == "markdown":
        put("\n".join(_markdown(found, totals)) + "\n")
    else:
        _text(found, totals)


def _markdown(found: Sequence[Standing], totals: Counter[State]) -> list[str]:
    lines = [
        "# Migration status",
        "",
        ", ".join(f"{totals[state]} {state}" for state in _ORDER if totals[state]) + ".",
        "",
        "| script | state | automatic | left to a person | findings |",
        "|---|---|---:|---:|---:|",
    ]
    for item in found:
        name = code_for_markdown(item.filename)
        lines.append(f"| {name} | {item.state} | {item.auto} | {item.manual} | {item.findings} |")
    return lines


def _text(found: Sequence[Standing], totals: Counter[State]) -> None:
    from cleanguard.report import styled
    from cleanguard.report.counting import counted
    from cleanguard.report.escaping import printable
    from cleanguard.report.styled import Line, Span

    lines: list[Line] = []
    for item in found:
        told = ""
        if item.state == "pending":
            told = f"{item.auto} automatic, {item.manual} left to you"
        if item.watched:
            told += f"{', ' if told else ''}{item.watched} watched"
        told = f"{told}; {item.why}" if item.why and told else item.why or told
        lines.append(
            [
                Span(f"{item.state:<11}", _COLOUR[item.state]),
                Span(printable(item.filename)),
                Span(f"  {printable(told)}" if told else ""),
            ]
        )
    summary = ", ".join(f"{totals[state]} {state}" for state in _ORDER if totals[state])
    lines += [[], [Span(f"{counted(len(found), 'script')}: {summary}.", "bold")]]
    styled.write(lines, sys.stdout)
