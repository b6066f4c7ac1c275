"""`cleanguard migrate`: rewrite hazards into CleanModelLoader calls."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cleanguard.cli.exit_codes import CANNOT_DO, CLEAN, FINDINGS
from cleanguard.cli.inputs import inputs_of
from cleanguard.cli.migrating.proofs import complaints, proofs, without_unproven
from cleanguard.cli.migrating.prove_args import CommandLines
from cleanguard.cli.outputs import writable
from cleanguard.cli.overrides import Overrides
from cleanguard.cli.progress import bar
from cleanguard.cli.report_options import configuration_options
from cleanguard.errors import JobError
from cleanguard.report.spoken import put_bytes, say
from cleanguard.settings.config import Scope, Settings

if TYPE_CHECKING:
    from codemods.migration import Migration
    from codemods.plan.options import Wishes
    from codemods.planning import Planner


@click.command("migrate")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--write", is_flag=True, help="Rewrite the files; without it only the plan is shown.")
@click.option("--diff", "patch", is_flag=True, help="Print only the patch, for `git apply`.")
@click.option(
    "--select",
    multiple=True,
    metavar="CODES",
    help="Rewrite only these hazards: codes, prefixes or names, separated by commas.",
)
@click.option(
    "--unsafe", is_flag=True, help="Also take rewrites that may change results; each is told."
)
@click.option(
    "--watch/--no-watch",
    default=True,
    help="Let loads and generations that cannot be guarded run as they are, and tell their hazards; or leave them.",
)
@click.option("--interactive", is_flag=True, help="Ask about each place.")
@click.option(
    "--allow-dirty", is_flag=True, help="Write although git has changes that are not committed."
)
@click.option(
    "--notice",
    "notice_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the Methodology Change Notice (Markdown) for the readers of the results.",
)
@click.option(
    "--prove",
    "proving",
    is_flag=True,
    help="Run each script before and after, with stand-ins for the models, and compare. "
    "This runs the scripts' code, in a copy of the current folder.",
)
@click.option(
    "--prove-args",
    "command_lines",
    multiple=True,
    metavar="[SCRIPT:]ARGS",
    help="The command line that --prove gives to the scripts, or to the one named in front: "
    "'eval.py: --limit 2'. May be repeated.",
)
@click.option(
    "--scope", type=click.Choice(["base", "all"]), help="Leave known chat models alone, or not."
)
@configuration_options
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[str, ...],
    write: bool,
    patch: bool,
    select: tuple[str, ...],
    unsafe: bool,
    watch: bool,
    interactive: bool,
    allow_dirty: bool,
    notice_file: Path | None,
    proving: bool,
    command_lines: tuple[str, ...],
    scope: Scope | None,
    config: tuple[str, ...],
    isolated: bool,
) -> None:
    """Rewrite hazards in Python files and notebooks; PATHS are files and folders, the current folder if none.

    Each rewritten file parses, has lost its findings and gained none, would not change again, and
    is the same outside the edits; a file for which that cannot be shown is left as it is.

    Exit codes: 0 nothing is left to do, 1 something is (also in a preview), 2 a file could not be
    read, written or proven.
    """
    if patch and (write or interactive):
        raise click.UsageError("--diff excludes --write and --interactive")
    if command_lines and not proving:
        raise click.UsageError("--prove-args is for --prove, which runs the scripts' code")
    inputs = inputs_of(
        paths, Overrides(scope=scope, config=config, isolated=isolated), notebooks=True
    )
    settings, files = inputs.settings, inputs.files
    wishes = _wishes(select, unsafe, watch)
    given = CommandLines(command_lines, [file.name for file in files])
    if notice_file is not None:
        try:
            writable(notice_file)
        except JobError as error:
            raise JobError(f"{error}; the notice was not written") from None
    # Only now: it imports libcst.
    from codemods.planning import Planner

    planner = Planner(files, settings)
    plans, failures = _plan(planner, wishes)
    failures += inputs.problems
    where = {file.name: file.path for file in files}
    if interactive:
        from cleanguard.cli.migrating.choose import choose

        plans = choose(plans, wishes, planner.again)
    found = proofs(plans, where, given) if proving else {}
    verdicts = tuple((name, proof.told) for name, proof in found.items())
    failures += complaints(found)
    if write:
        plans, told_of = without_unproven(plans, found)
        failures += told_of
    if write:
        changed = [where[plan.filename] for plan in plans if plan.changed]
        if changed and not allow_dirty:
            from cleanguard.cli.migrating.git_tree import refuse_dirty

            refuse_dirty(changed)
    notice_text = _notice(plans, paths, verdicts, write) if notice_file is not None else ""
    if write:
        plans = _write(plans, where, paths, failures)
    if notice_file is not None:
        _write_notice(notice_file, notice_text, failures)
    _print(plans, write, patch)
    if not patch:
        from cleanguard.cli.migrating.requirements import unmet

        for told in unmet((where[plan.filename] for plan in plans if plan.changed), Path.cwd()):
            say(told)
    for name, verdict in verdicts if not patch else ():
        say(f"proof of {name}: {verdict}")
    for failure in failures:
        say(f"cleanguard: {failure}", err=True)
    if failures or any(plan.refusal for plan in plans):
        ctx.exit(CANNOT_DO)
    pending = any(plan.left or (plan.changed and not write) for plan in plans)
    ctx.exit(FINDINGS if pending else CLEAN)


def _wishes(select: Sequence[str], unsafe: bool, watch: bool) -> Wishes:
    from cleanguard.settings.config import selected
    from codemods.plan.options import EVERYTHING

    names = tuple(name.strip() for given in select for name in given.split(",") if name.strip())
    codes = frozenset(selected(Settings(select=names))) if names else frozenset()
    return replace(EVERYTHING, unsafe=unsafe, watch=watch, select=codes)


def _plan(planner: Planner, wishes: Wishes) -> tuple[list[Migration], list[str]]:
    """The plans, and what is to be told of the files that have none."""
    from codemods.planning import Unread

    plans: list[Migration] = []
    failures: list[str] = []
    with bar(doing="Planning") as progress:
        for outcome in planner.plans(wishes, progress):
            if not isinstance(outcome, Unread):
                plans.append(outcome)
                failures += [
                    f"{outcome.filename}:{told} (CG900); mend it and run again"
                    for told in outcome.unread
                ]
            elif outcome.crashed:
                failures.append(f"{outcome.reason}; the file was left as it is")
            else:
                failures.append(
                    f"{outcome.line}: {outcome.reason} (CG900); {outcome.remedy}; it was left as it is"
                )
    return plans, failures


def _notice(
    plans: Sequence[Migration],
    paths: Sequence[str],
    verdicts: tuple[tuple[str, str], ...],
    written: bool,
) -> str:
    from datetime import datetime, timezone

    from cleanguard.cli.migrating.git_tree import commit_of
    from cleanguard.version import VERSION
    from codemods.notice import Origin, notice

    commit, dirty = commit_of(Path((paths or (".",))[0]))
    today = datetime.now(timezone.utc).date().isoformat()
    return notice(plans, Origin(VERSION, commit, dirty, today, written, verdicts))


def _write_notice(target: Path, text: str, failures: list[str]) -> None:
    from cleanguard.editing.write import WriteError, put_file
    from codemods.notice import above

    try:
        earlier = target.read_text("utf-8", errors="replace") if target.is_file() else ""
    except OSError as error:
        failures.append(f"{target}: {error.strerror}; the notice was not written")
        return
    text = above(text, earlier)
    try:
        put_file(target, text.encode("utf-8", errors="backslashreplace"))
    except WriteError as error:
        failures.append(f"{error}; the notice was not written")


def _write(
    plans: Sequence[Migration],
    where: dict[str, Path],
    paths: Sequence[str],
    failures: list[str],
) -> list[Migration]:
    """Writes what changed; a file that could not be written leaves the list and joins the failures."""
    from cleanguard.editing.write import WriteError, clear_leftovers, replace_file

    named = (Path(path) for path in (*paths, "."))
    roots = tuple((path if path.is_dir() else path.parent).resolve() for path in named)
    done: list[Migration] = []
    for folder in {where[plan.filename].resolve().parent for plan in plans}:
        clear_leftovers(folder)
    for plan in plans:
        try:
            if plan.changed:
                path = where[plan.filename]
                replace_file(path, plan.before, plan.after, roots, plan.filename)
            done.append(plan)
        except WriteError as error:
            failures.append(str(error))
    return done


def _print(plans: Sequence[Migration], write: bool, patch: bool) -> None:
    if patch:
        from cleanguard.editing.patch import unified

        put_bytes(b"".join(unified(plan.filename, plan.before, plan.after) for plan in plans))
        return
    from cleanguard.cli.migrating import plan_report as report
    from cleanguard.report import styled

    width = styled.width_of(sys.stdout)
    lines = report.table(plans, width)
    for plan in plans:
        if plan.sites or plan.also:
            lines += [[], *report.sites(plan, width)]
            if not write and plan.changed:
                lines += [[], *report.diff(plan)]
    lines += [[]] if lines else []
    styled.write([*lines, *report.summary(plans, write, width)], sys.stdout)
