"""The options of `cleanguard check`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from cleanguard.report.formats import MACHINE, TEXT
from cleanguard.settings.config import Scope

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

STDIN = "-"
Colour = Literal["auto", "always", "never"]


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What the command line of a check said; the help texts below tell what each means."""

    paths: tuple[str, ...]
    select: tuple[str, ...]
    extend_select: tuple[str, ...]
    ignore: tuple[str, ...]
    scope: Scope | None
    config: Path | None
    force_exclude: bool
    stdin_filename: str | None
    output_format: str
    output_file: Path | None
    statistics: bool
    color: Colour
    exit_zero: bool
    baseline: Path | None
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


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from cleanguard.catalogue.hazards import CATALOGUE

    before, comma, last = incomplete.rpartition(",")
    words = [(hazard.code, hazard.name) for hazard in CATALOGUE] + [("ALL", "all of them")]
    return [
        CompletionItem(f"{before}{comma}{word}", help=text)
        for word, text in words
        if word.startswith(last.upper())
    ]


def _codes(flag: str, text: str) -> Callable[[Any], Any]:
    return click.option(flag, multiple=True, metavar="CODES", shell_complete=_complete, help=text)


def _flag(flag: str, text: str) -> Callable[[Any], Any]:
    return click.option(flag, is_flag=True, help=text)


def _file(flag: str, text: str) -> Callable[[Any], Any]:
    kind = click.Path(path_type=Path, dir_okay=False)
    return click.option(flag, type=kind, metavar="FILE", help=text)


_OPTIONS = (
    click.argument("paths", nargs=-1, type=click.Path(allow_dash=True)),
    _codes("--select", "Report only these; replaces the configured ones."),
    _codes("--extend-select", "Report these as well."),
    _codes("--ignore", "Never report these; added to the configured ones."),
    click.option(
        "--scope", type=click.Choice(["base", "all"]), help="Leave known chat models alone, or not."
    ),
    _file("--config", "Read [tool.cleanguard] from this file."),
    _flag("--force-exclude", "Leave out excluded files even if they are named."),
    click.option(
        "--stdin-filename", metavar="NAME", help="What standard input is called, with the path `-`."
    ),
    click.option(
        "--output-format",
        type=click.Choice([*TEXT, *MACHINE]),
        default="full",
        show_default=True,
        help="How to print the findings.",
    ),
    _file("--output-file", "Write the findings to a file."),
    _flag("--statistics", "Print how often each hazard was found."),
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        show_default=True,
        help="Colours: on a terminal, always or never; NO_COLOR and FORCE_COLOR count under auto.",
    ),
    _flag("--exit-zero", "Leave with 0 even if there are findings."),
    _file("--baseline", "Report only what is not in this file; see `cleanguard baseline`."),
    click.option(
        "--with-trace",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Say which findings a run confirms or contradicts; see `cleanguard trace --save`.",
    ),
    _flag("--fix", "Make the safe fixes."),
    _flag("--unsafe-fixes", "Make the fixes that may change results as well."),
    _flag("--diff", "Write nothing; print the fixes as a patch."),
    click.option(
        "--jobs",
        "-j",
        type=click.IntRange(min=1),
        metavar="N",
        help="How many processes; as many as there are processors by default.",
    ),
    _flag("--no-cache", "Check everything anew, and remember nothing."),
    _flag("--watch", "Check again whenever a file changes, until interrupted."),
)


def check_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command all options of a check."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
