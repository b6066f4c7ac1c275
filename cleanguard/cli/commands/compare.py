"""`cleanguard compare`: one table and one page of any number of finished runs."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cleanguard.cli.outputs import writable
from cleanguard.cli.progress import waiting
from cleanguard.cli.writing import write_out
from cleanguard.errors import JobError
from cleanguard.installing import install
from cleanguard.report.hidden import hidden_by_line
from cleanguard.report.spoken import say

if TYPE_CHECKING:
    from stages.suites.item import Endpoint, Measure

_NEEDED = ("scipy", "matplotlib", "jinja2")


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN …")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("compare.html"),
    show_default=True,
    help="The page; with .md or .json at its end that instead.",
)
@click.option(
    "--endpoint",
    type=click.Choice(["strict", "content"]),
    help="The verdict that counts; left out: the one that the runs' own reports rest on, or strict.",
)
@click.option(
    "--measure",
    type=click.Choice(["total", "per_token", "per_byte", "per_character", "unconditional"]),
    help="What decides between choices; left out: what the runs' own reports rest on, or per_byte.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0.0001, 0.5),
    default=0.05,
    show_default=True,
    help="Two-sided level of the tests.",
)
@click.option(
    "--moved",
    type=click.IntRange(0),
    default=6,
    show_default=True,
    help="Gained and lost items to show of each pair.",
)
def command(
    runs: tuple[str, ...],
    output: Path,
    endpoint: Endpoint | None,
    measure: Measure | None,
    alpha: float,
    moved: int,
) -> None:
    """Compare RUNs of `evaluate`: folders, results.jsonl files, or NAME=FOLDER for a name of your own.

    Every model of a run is paired with the same model and form of each other run, item by item, by
    clustered tests with Holm's correction over all pairs. Models that only one of two runs has are
    paired with those that only the other has.

    Exit codes: 0 done, 2 it could not be done.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise JobError(f"compare needs {', '.join(missing)}: {install('stats')}")
    from guard.errors import GuardError
    from stages.across.concluded import settle_endpoint, settle_measure
    from stages.across.systems import files_of, read_runs
    from stages.comparing.plan import Plan

    files = files_of(runs)
    decides = settle_measure(files, measure)
    try:
        read = read_runs(runs, decides.choice)
    except GuardError as error:
        raise JobError(str(error)) from error
    # Only answers have two verdicts of their own; choices are read by the measure.
    counts = settle_endpoint(files if read.kind == "answers" else (), endpoint)
    notes = (counts.note, decides.note if read.kind == "choices" else None)
    read = replace(read, warnings=(*filter(None, notes), *read.warnings))
    writable(output)
    try:
        with waiting("Comparing"):
            # Only now: these import scipy.
            from stages.across.report import SCHEMA, as_markdown, compare_runs, table_of
            from stages.reports.as_json import as_json

            report = compare_runs(
                read, counts.choice, Plan(alpha=alpha), moved, measure=decides.choice
            )
        if output.suffix == ".json":
            text = as_json(report, SCHEMA)
        elif output.suffix == ".md":
            text = hidden_by_line(as_markdown(report))
        else:
            from stages.across.html import as_html

            text = as_html(report)
    except GuardError as error:
        raise JobError(str(error)) from error
    write_out(output, text, "the page cannot be written")
    _print(*table_of(report))
    verdicts = [one.verdict for one in report.pairs] + [one.verdict for one in report.shifts]
    for said in (report.words, *verdicts):
        say(said)
    for warning in report.warnings:
        say(f"note: {warning}", err=True)
    say(f"page: {output}")


def _print(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table with columns as wide as they need to be."""
    whole = [header, *rows]
    widths = [max(len(row[at]) for row in whole) for at in range(len(header))]
    for row in whole:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say(line.rstrip())
