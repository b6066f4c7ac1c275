"""`cleanguard check`: find hazards in Python files."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
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
@click.option("--fix", is_flag=True, help="Make the safe fixes.")
@click.option(
    "--unsafe-fixes", is_flag=True, help="Make the fixes that may change results as well."
)
@click.option("--diff", is_flag=True, help="Write nothing; print the fixes as a patch.")
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[str, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    scope: Scope | None,
    config: Path | None,
    output_format: str,
    fix: bool,
    unsafe_fixes: bool,
    diff: bool,
) -> None:
    """Find hazards in Python files; PATHS are files and folders, the current folder if none.

    CODES are codes (CG201), prefixes (CG2), names (double-bos) or ALL, separated by commas.
    """
    settings, files = inputs_of(paths, config, select=select, ignore=ignore, scope=scope)
    from lint_rules.engine import check_files

    run = check_files(files, settings)
    findings, failures = run.findings, [*run.failures]
    fixes = None
    if fix or unsafe_fixes or diff:
        from cleanguard.cli._fixes import fix_files

        fixes = fix_files(findings, files, settings, unsafe=unsafe_fixes, write=not diff)
        findings, failures = fixes.findings, [*failures, *fixes.failures]
    if fixes and diff:
        sys.stdout.flush()
        sys.stdout.buffer.write(fixes.patch)
    else:
        _print(findings, run.checked, files, output_format)
    if fixes:
        _print_fixed(fixes.codes, "Would fix" if diff else "Fixed")
    for failure in failures:
        click.echo(f"cleanguard: {failure}", err=True)
    found = fixes.patch if fixes and diff else findings
    ctx.exit(CANNOT_DO if failures else FINDINGS if found else CLEAN)


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


def _print_fixed(codes: Mapping[str, int], verb: str) -> None:
    """To the error stream, so that patches and machine-readable reports stay what they are."""
    from cleanguard.report import styled, text

    styled.write(text.fixed(codes, verb), sys.stderr)


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
