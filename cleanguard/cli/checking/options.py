"""The options of `cleanguard check`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from cleanguard.cli.report_options import (
    SELECTION,
    Colour,
    ReportOptions,
    flag,
    output_options,
    with_options,
)

__all__ = ["STDIN", "CheckOptions", "Colour", "check_options"]

STDIN = "-"


@dataclass(frozen=True, slots=True)
class CheckOptions(ReportOptions):
    """What the command line of a check said."""

    paths: tuple[str, ...]
    force_exclude: bool
    stdin_filename: str | None
    with_trace: tuple[Path, ...]
    fix: bool
    unsafe_fixes: bool
    diff: bool
    watch: bool
    jobs: int | None
    no_cache: bool

    @property
    def fixes(self) -> bool:
        """Whether anything is to be fixed, or shown as a patch."""
        return self.fix or self.unsafe_fixes or self.diff


check_options = with_options(
    (
        click.argument("paths", nargs=-1, type=click.Path(allow_dash=True)),
        *SELECTION,
        flag("--force-exclude", "Leave out excluded files even if they are named."),
        click.option(
            "--stdin-filename",
            metavar="NAME",
            help="What standard input is called, with the path `-`.",
        ),
        *output_options(
            output_file="Write the findings to a file.",
            exit_zero="Leave with 0 even if there are findings.",
        ),
        click.option(
            "--with-trace",
            multiple=True,
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Say which findings a run confirms or contradicts; see `cleanguard trace --save`.",
        ),
        flag("--fix", "Make the safe fixes."),
        flag("--unsafe-fixes", "Make the fixes that may change results as well."),
        flag("--diff", "Write nothing; print the fixes as a patch."),
        click.option(
            "--jobs",
            "-j",
            type=click.IntRange(min=1),
            metavar="N",
            help="How many processes; as many as there are processors by default.",
        ),
        flag("--no-cache", "Check everything anew, and remember nothing."),
        flag("--watch", "Check again whenever a file changes, until interrupted."),
    )
)
