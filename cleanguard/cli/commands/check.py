"""`cleanguard check`: find hazards in Python files."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cleanguard.catalogue.findings import Finding
from cleanguard.cli.checking.known import Known
from cleanguard.cli.checking.options import STDIN, CheckOptions, check_options
from cleanguard.cli.checking.output import Output, colour_of, sources_of
from cleanguard.cli.exit_codes import CANNOT_DO, CLEAN, FINDINGS
from cleanguard.cli.inputs import Inputs, inputs_of
from cleanguard.cli.progress import bar
from cleanguard.errors import JobError
from cleanguard.files import SourceFile
from cleanguard.report.spoken import put_bytes, say

if TYPE_CHECKING:
    from cleanguard.cli.checking.with_trace import Trace


@click.command("check")
@check_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Find hazards in Python files; PATHS are files and folders, the current folder if none.

    CODES are codes (CG201), prefixes (CG2), names (double-bos) or ALL, separated by commas; PATTERNS are
    gitignore-style. The path
    `-` is standard input; with --fix the fixed text goes to standard output.
    """
    options = CheckOptions(**given)
    if options.cache_dir is not None:
        os.environ["CLEANGUARD_CACHE_DIR"] = str(options.cache_dir)
    if options.output_file and not options.watch:
        from cleanguard.cli.outputs import writable

        writable(options.output_file)
    if not options.watch:
        ctx.exit(_check(options, _inputs(options)))
    if _reads_stdin(options) or options.output_file:
        raise click.UsageError("--watch needs files, and prints to the terminal")
    from cleanguard.cli.checking.watch import watch
    from lint_rules._engine.worker import prepare

    def again() -> None:
        click.clear()
        try:
            _check(options, _inputs(options))
        except JobError as error:  # the next change may mend it
            say(f"cleanguard: {error}", err=True)

    prepare()  # once, so that the processes of each check inherit it
    watch(again, lambda: _looked_at(options))


def _looked_at(options: CheckOptions) -> list[Path]:
    """The files whose changes count: those that are checked, and what says how."""
    named = (options.overrides.config_file, options.baseline)
    found = [path for path in named if path is not None]
    top = Path(os.path.commonpath([Path(path).absolute() for path in options.paths or (".",)]))
    found += [folder / "pyproject.toml" for folder in (top, *top.parents)]
    with suppress(JobError):
        inputs = _inputs(options)
        found += [file.path for file in inputs.files]
        found += [Path(folder) / "pyproject.toml" for folder, _ in inputs.settings.nested]
    return found


def _reads_stdin(options: CheckOptions) -> bool:
    return STDIN in options.paths or (options.stdin_filename is not None and not options.paths)


def _inputs(options: CheckOptions) -> Inputs:
    stdin = None
    if _reads_stdin(options):
        if options.paths not in ((), (STDIN,)):
            raise click.UsageError("`-` excludes other paths")
        if sys.stdin is None:
            raise JobError("standard input is closed, so there is nothing to check")
        name = options.stdin_filename or STDIN
        stdin = SourceFile(name, Path(name), sys.stdin.buffer.read())
    elif options.stdin_filename is not None:
        raise click.UsageError("--stdin-filename goes with the path `-`")
    return inputs_of(options.paths, options.overrides, stdin=stdin, notebooks=True)


def _check(options: CheckOptions, inputs: Inputs) -> int:
    """Checks, fixes where asked, prints, and says how to leave."""
    from lint_rules._engine.pipeline import check_files

    settings, files = inputs.settings, inputs.files
    if options.show_files or options.show_settings:
        from cleanguard.cli.checking.shown import show

        show(settings, files, names=options.show_files)
        return _leave(False, inputs.problems, options)
    if options.verbose:
        from cleanguard.cli.checking.shown import explain_run

        explain_run(settings, files)
    known = Known(options.baseline, settings)
    files = known.checkable(files)
    traces = _traces(options)
    if traces and options.fixes:
        raise click.UsageError("--with-trace says what a run saw; it excludes --fix and --diff")
    with bar() as progress:
        run = check_files(
            files, settings, jobs=options.jobs, cached=not options.no_cache, progress=progress
        )
    findings, failures = run.findings, [*inputs.problems, *known.problems, *run.failures]
    colour = colour_of(options.color)
    output = Output(
        options.output_format,
        options.output_file,
        options.statistics,
        colour,
        options.quiet,
        options.silent,
    )
    if options.add_ignore is not None:
        from cleanguard.cli.checking.adding import add_ignores

        if options.fixes or _reads_stdin(options):
            raise click.UsageError(
                "--add-ignore writes into files; it excludes fixes and the path `-`"
            )
        found = known.without(findings, files)
        code = add_ignores(found, files, settings, options.add_ignore)
        return max(code, _leave(False, failures, options))
    from cleanguard.cli.checking.places import prepared

    if not options.fixes:
        if traces:
            from cleanguard.cli.checking.with_trace import compared

            findings = compared(findings, traces, files, settings)
        findings = known.without(findings, files)
        findings = prepared(findings, files, settings, options.output_format)
        output.print(findings, run.checked, sources_of(files), sys.stdout)
        _say_what_is_cut(findings, options)
    else:
        from cleanguard.cli.checking.fixes import fix_files

        write = not options.diff
        fixes = fix_files(findings, files, settings, unsafe=options.unsafe_fixes, write=write)
        findings = known.without(fixes.findings, fixes.files)
        failures += fixes.failures
        names = fixes.names
        sys.stdout.flush()
        if options.diff:
            put_bytes(fixes.patch)
            output.print_fixed(fixes.codes, "Would fix", names if options.show_fixes else None)
            _print_unfixed(len(findings))
            return _leave(bool(fixes.patch) or bool(findings), failures, options)
        put_bytes(fixes.stdin or b"")
        stream = sys.stdout if fixes.stdin is None else sys.stderr
        if not options.fix_only:
            shown = prepared(findings, fixes.files, settings, options.output_format)
            output.print(shown, run.checked, sources_of(fixes.files), stream)
        output.print_fixed(fixes.codes, "Fixed", names if options.show_fixes else None)
        if options.fix_only:
            findings = ()
        if options.exit_non_zero_on_fix and fixes.codes:
            return max(FINDINGS, _leave(True, failures, options))
    return _leave(bool(findings), failures, options)


def _traces(options: CheckOptions) -> list[Trace]:
    if not options.with_trace:
        return []
    from cleanguard.cli.checking.with_trace import read_trace

    return [read_trace(file) for file in options.with_trace]


def _say_what_is_cut(findings: Sequence[Finding], options: CheckOptions) -> None:
    """Limits of those who read a format, which would drop findings without a word."""
    if options.statistics or options.quiet or options.silent:
        return
    said = None
    if options.output_format == "github":
        from cleanguard.report import github

        said = github.cut(findings)
    elif options.output_format == "sarif":
        from cleanguard.report import sarif

        said = sarif.cut(findings)
    if said is not None:
        say(f"cleanguard: {said}", err=True)


def _print_unfixed(count: int) -> None:
    """A patch tells nothing of what is not in it."""
    if count:
        left = f"{count} findings are in no fix; check without --diff shows them"
        one = "1 finding is in no fix; check without --diff shows it"
        say(f"cleanguard: {one if count == 1 else left}", err=True)


def _leave(found: bool, failures: Sequence[str], options: CheckOptions) -> int:
    for failure in failures:
        say(f"cleanguard: {failure}", err=True)
    if failures:
        return CANNOT_DO
    return FINDINGS if found and not options.exit_zero else CLEAN
