"""`cleanguard migrate`: rewrite hazards into CleanModelLoader calls."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from cleanguard.cli._exit_codes import CANNOT_DO, CLEAN, FINDINGS
from cleanguard.cli._inputs import inputs_of
from cleanguard.config import Scope, Settings
from cleanguard.files import SourceFile
from codemods.migration import Migration


@click.command("migrate")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--write", is_flag=True, help="Rewrite the files; without it only the plan is shown.")
@click.option("--diff", "patch", is_flag=True, help="Print only the patch, for `git apply`.")
@click.option(
    "--scope", type=click.Choice(["base", "all"]), help="Leave known chat models alone, or not."
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read [tool.cleanguard] from this file.",
)
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[str, ...],
    write: bool,
    patch: bool,
    scope: Scope | None,
    config: Path | None,
) -> None:
    """Rewrite hazards in Python files; PATHS are files and folders, the current folder if none.

    Each rewritten file parses, has lost its findings and gained none, would not change again, and
    is the same outside the edits; a file for which that cannot be shown is left as it is.

    Exit codes: 0 nothing is left to do, 1 something is (also in a preview), 2 a file could not be
    read, written or proven.
    """
    if write and patch:
        raise click.UsageError("--write and --diff exclude each other")
    settings, files = inputs_of(paths, config, scope=scope)
    plans, failures = _plan(files, settings)
    if write:
        plans = _write(plans, files, paths, failures)
    _print(plans, write, patch)
    for failure in failures:
        click.echo(f"cleanguard: {failure}", err=True)
    if failures or any(plan.refusal for plan in plans):
        ctx.exit(CANNOT_DO)
    pending = any(plan.manual or (plan.changed and not write) for plan in plans)
    ctx.exit(FINDINGS if pending else CLEAN)


def _plan(files: Sequence[SourceFile], settings: Settings) -> tuple[list[Migration], list[str]]:
    from codemods.migration import migrate_source
    from lint_rules._source import SourceError

    plans: list[Migration] = []
    failures: list[str] = []
    for file in files:
        try:
            plans.append(migrate_source(file.name, file.path.read_bytes(), settings))
        except OSError as error:
            failures.append(f"{file.name}: {error.strerror or error}; the file was left as it is")
        except SourceError as error:
            place = f"{file.name}:{error.position.row}"
            failures.append(
                f"{place}: {error} (CG900); mend it and run again, it was left as it is"
            )
    return plans, failures


def _write(
    plans: Sequence[Migration],
    files: Sequence[SourceFile],
    paths: Sequence[str],
    failures: list[str],
) -> list[Migration]:
    """Writes what changed; a file that could not be written leaves the list and joins the failures."""
    from cleanguard.write import WriteError, replace_file

    where = {file.name: file.path for file in files}
    roots = tuple(Path(path).resolve() for path in (*paths, "."))
    done: list[Migration] = []
    for plan in plans:
        try:
            if plan.changed:
                replace_file(where[plan.filename], plan.before, plan.after, roots)
            done.append(plan)
        except WriteError as error:
            failures.append(str(error))
    return done


def _print(plans: Sequence[Migration], write: bool, patch: bool) -> None:
    if patch:
        from cleanguard.patch import unified

        sys.stdout.flush()
        for plan in plans:
            sys.stdout.buffer.write(unified(plan.filename, plan.before, plan.after))
        return
    from cleanguard.cli import _plan_report as report
    from cleanguard.report import styled

    width = styled.width_of(sys.stdout)
    lines = report.table(plans, width)
    for plan in plans:
        if plan.sites:
            lines += [[], *report.sites(plan, width)]
            if not write and plan.changed:
                lines += [[], *report.diff(plan)]
    lines += [[]] if lines else []
    styled.write([*lines, *report.summary(plans, write, width)], sys.stdout)
