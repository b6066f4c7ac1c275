"""`cleanguard check`: find hazards in Python files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import click

from cleanguard.cli._exit_codes import CANNOT_DO, CLEAN, FINDINGS
from cleanguard.cli._inputs import inputs_of
from cleanguard.config import Scope
from cleanguard.files import SourceFile
from cleanguard.findings import Finding


@click.command("check")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option(
    "--select",
    multiple=True,
    metavar="CODES",
    help="Report only these; replaces the configured ones.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="CODES",
    help="Never report these; added to the configured ones.",
)
@click.option(
    "--scope", type=click.Choice(["base", "all"]), help="Leave known chat models alone, or not."
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read [tool.cleanguard] from this file.",
)
@click.option(
    "--output-format",
    type=click.Choice(["full", "concise", "json"]),
    default="full",
    show_default=True,
    help="How to print the findings.",
)
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[str, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    scope: Scope | None,
    config: Path | None,
    output_format: str,
) -> None:
    """Find hazards in Python files; PATHS are files and folders, the current folder if none.

    CODES are codes (CG201), prefixes (CG2), names (double-bos) or ALL, separated by commas.
    """
    settings, files = inputs_of(paths, config, select=select, ignore=ignore, scope=scope)
    from lint_rules.engine import check_files

    run = check_files(files, settings)
    _print(run.findings, run.checked, files, output_format)
    for failure in run.failures:
        click.echo(f"cleanguard: {failure}", err=True)
    ctx.exit(CANNOT_DO if run.failures else FINDINGS if run.findings else CLEAN)


def _print(
    findings: Sequence[Finding], checked: int, files: Sequence[SourceFile], output_format: str
) -> None:
    if output_format == "json":
        from cleanguard.report import json

        sys.stdout.write(json.render(findings))
        return
    from cleanguard.report import styled, text

    width = styled.width_of(sys.stdout)
    if output_format == "concise":
        lines = text.concise(findings)
    else:
        paths = {file.name: file.path for file in files}

        @lru_cache(maxsize=1)
        def sources(name: str) -> Sequence[str]:
            return _lines(paths[name])

        lines = text.full(findings, sources, width)
    styled.write([*lines, *text.summary(findings, checked, width)], sys.stdout)


def _lines(path: Path) -> Sequence[str]:
    """A file's lines as Python counts them, however broken the file is."""
    import tokenize

    try:
        with path.open("rb") as stream:
            encoding, _ = tokenize.detect_encoding(stream.readline)
    except (OSError, SyntaxError):
        encoding = "utf-8"
    try:
        return path.read_text(encoding=encoding, errors="replace").split("\n")
    except (OSError, LookupError):
        return ()
