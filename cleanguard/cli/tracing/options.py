"""The options of `cleanguard trace`; those of `check` mean the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

from cleanguard.cli.tracing.target import split
from cleanguard.report.formats import MACHINE, TEXT
from cleanguard.settings.config import Scope


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """What the command line of a trace said; the help texts below tell what each means."""

    script: tuple[str, ...]
    select: tuple[str, ...]
    extend_select: tuple[str, ...]
    ignore: tuple[str, ...]
    scope: Scope | None
    config: Path | None
    output_format: str
    output_file: Path | None
    statistics: bool
    color: Literal["auto", "always", "never"]
    exit_zero: bool
    baseline: Path | None
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


def _codes(flag: str, text: str) -> Callable[[Any], Any]:
    return click.option(flag, multiple=True, metavar="CODES", help=text)


def _flag(flag: str, text: str) -> Callable[[Any], Any]:
    return click.option(flag, is_flag=True, help=text)


def _file(flag: str, text: str) -> Callable[[Any], Any]:
    kind = click.Path(path_type=Path, dir_okay=False)
    return click.option(flag, type=kind, metavar="FILE", help=text)


_OPTIONS = (
    click.argument("script", nargs=-1, type=click.UNPROCESSED),
    _codes("--select", "Report only these; replaces the configured ones."),
    _codes("--extend-select", "Report these as well."),
    _codes("--ignore", "Never report these; added to the configured ones."),
    click.option(
        "--scope", type=click.Choice(["base", "all"]), help="Leave known chat models alone, or not."
    ),
    _file("--config", "Read [tool.cleanguard] from this file."),
    click.option(
        "--output-format",
        type=click.Choice([*TEXT, *MACHINE]),
        default="full",
        show_default=True,
        help="How to print the findings.",
    ),
    _file("--output-file", "Write the report to a file instead of standard error."),
    _flag("--statistics", "Print how often each hazard was found."),
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        show_default=True,
        help="Colours: on a terminal, always or never; NO_COLOR and FORCE_COLOR count under auto.",
    ),
    _flag("--exit-zero", "Leave with the script's own code even if there are findings."),
    _file("--baseline", "Report only what is not in this file; see `cleanguard baseline`."),
    click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Report everything as JSON: evidence, places, loads, provenance.",
    ),
    _file("--save", "Write that JSON to a file (trace.json) besides the report."),
)


def trace_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command all options of a trace."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
