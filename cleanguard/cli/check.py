"""`cleanguard check`: find hazards in Python files."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from cleanguard.cli._exit_codes import CANNOT_DO, CLEAN, FINDINGS
from cleanguard.cli._inputs import inputs_of
from cleanguard.cli._output import Output, sources_of
from cleanguard.config import Scope
from cleanguard.report.formats import MACHINE, TEXT


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
    type=click.Choice([*TEXT, *MACHINE]),
    default="full",
    show_default=True,
    help="How to print the findings.",
)
@click.option(
    "--output-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the findings to a file.",
)
@click.option("--statistics", is_flag=True, help="Print how often each hazard was found.")
@click.option("--exit-zero", is_flag=True, help="Leave with 0 even if there are findings.")
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
    output_file: Path | None,
    statistics: bool,
    exit_zero: bool,
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
        output = Output(output_format, output_file, statistics)
        output.print(findings, run.checked, sources_of(files))
    if fixes:
        _print_fixed(fixes.codes, "Would fix" if diff else "Fixed")
    for failure in failures:
        click.echo(f"cleanguard: {failure}", err=True)
    found = fixes.patch if fixes and diff else findings
    ctx.exit(CANNOT_DO if failures else FINDINGS if found and not exit_zero else CLEAN)


def _print_fixed(codes: Mapping[str, int], verb: str) -> None:
    """To the error stream, so that patches and machine-readable reports stay what they are."""
    from cleanguard.report import styled, text

    styled.write(text.fixed(codes, verb), sys.stderr)
