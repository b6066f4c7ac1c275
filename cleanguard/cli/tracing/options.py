"""The options of `cleanguard trace`; those of `check` mean the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from cleanguard.cli.report_options import (
    SELECTION,
    ReportOptions,
    file,
    output_options,
    with_options,
)
from cleanguard.cli.tracing.target import split


@dataclass(frozen=True, slots=True)
class TraceOptions(ReportOptions):
    """What the command line of a trace said."""

    script: tuple[str, ...]
    as_json: bool
    save: Path | None


class TraceCommand(click.Command):
    """Leaves everything from the script on to the script."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Part the command line where the script begins."""
        with_values = frozenset(
            name
            for param in self.params
            if isinstance(param, click.Option) and not param.is_flag
            for name in param.opts
        )
        own, script = split(args, with_values)
        return super().parse_args(ctx, [*own, "--", *script])


trace_options = with_options(
    (
        click.argument("script", nargs=-1, type=click.UNPROCESSED),
        *SELECTION,
        *output_options(
            output_file="Write the report to a file instead of standard error.",
            exit_zero="Leave with the script's own code even if there are findings.",
        ),
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            help="Report everything as JSON: evidence, places, loads, provenance.",
        ),
        file("--save", "Write that JSON to a file (trace.json) besides the report."),
    )
)
