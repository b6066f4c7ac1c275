"""Options that `check` and `trace` share: which findings are wanted, and how they are printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from cleanguard.cli.overrides import Overrides
from cleanguard.report.formats import MACHINE, TEXT
from cleanguard.settings.config import Scope

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Colour = Literal["auto", "always", "never"]
Option = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What a command line said of the findings; the help texts below tell what each means."""

    select: tuple[str, ...]
    extend_select: tuple[str, ...]
    ignore: tuple[str, ...]
    scope: Scope | None
    config: tuple[str, ...]
    isolated: bool
    output_format: str
    output_file: Path | None
    statistics: bool
    color: Colour
    exit_zero: bool
    baseline: Path | None

    @property
    def overrides(self) -> Overrides:
        """What it says on top of the configuration."""
        return self.common_overrides

    @property
    def common_overrides(self) -> Overrides:
        """What every command that reports can say on top of the configuration."""
        return Overrides(
            select=self.select,
            extend_select=self.extend_select,
            ignore=self.ignore,
            scope=self.scope,
            config=self.config,
            isolated=self.isolated,
        )


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


def codes(name: str, text: str) -> Option:
    """An option that names hazards; may be repeated."""
    return click.option(name, multiple=True, metavar="CODES", shell_complete=_complete, help=text)


def flag(name: str, text: str, short: str | None = None) -> Option:
    """A switch with its help, and a short name where it has one."""
    return click.option(*((short,) if short else ()), name, is_flag=True, help=text)


def file(name: str, text: str, short: str | None = None) -> Option:
    """An option that names a file, with its help, and a short name where it has one."""
    kind = click.Path(path_type=Path, dir_okay=False)
    names = (short, name) if short else (name,)
    return click.option(*names, type=kind, metavar="FILE", help=text)


CONFIGURATION: tuple[Option, ...] = (
    click.option(
        "--config",
        multiple=True,
        metavar="FILE|KEY=VALUE",
        help="Read [tool.cleanguard] from this file, or take one setting in TOML; may be repeated.",
    ),
    flag("--isolated", "Read no configuration file."),
)
SELECTION: tuple[Option, ...] = (
    codes("--select", "Report only these; replaces the configured ones."),
    codes("--extend-select", "Report these as well."),
    codes("--ignore", "Never report these; added to the configured ones."),
    click.option(
        "--scope", type=click.Choice(["base", "all"]), help="Leave known chat models alone, or not."
    ),
    *CONFIGURATION,
)


def output_options(output_file: str, exit_zero: str) -> tuple[Option, ...]:
    """How findings are printed, counted and left out.

    Args:
        output_file: What `--output-file` does.
        exit_zero: What `--exit-zero` does.
    """
    return (
        click.option(
            "--output-format",
            type=click.Choice([*TEXT, *MACHINE]),
            default="full",
            show_default=True,
            help="How to print the findings.",
        ),
        file("--output-file", output_file, "-o"),
        flag("--statistics", "Print how often each hazard was found."),
        click.option(
            "--color",
            type=click.Choice(["auto", "always", "never"]),
            default="auto",
            show_default=True,
            help="Colours: on a terminal, always or never; NO_COLOR and FORCE_COLOR count under auto.",
        ),
        flag("--exit-zero", exit_zero, "-e"),
        file("--baseline", "Report only what is not in this file; see `cleanguard baseline`."),
    )


def with_options(
    options: tuple[Option, ...],
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator that gives a command these options, in this order in its help."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


configuration_options = with_options(CONFIGURATION)
