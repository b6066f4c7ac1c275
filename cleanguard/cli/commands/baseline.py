"""`cleanguard baseline`: enter today's findings, so that a check reports only new ones."""

from __future__ import annotations

from pathlib import Path

import click

from cleanguard.catalogue.hazards import UNREADABLE
from cleanguard.cli.checking.output import sources_of
from cleanguard.cli.exit_codes import CANNOT_DO, CLEAN
from cleanguard.cli.inputs import inputs_of
from cleanguard.cli.outputs import writable
from cleanguard.cli.overrides import Overrides
from cleanguard.cli.report_options import configuration_options
from cleanguard.cli.writing import write_out
from cleanguard.errors import JobError
from cleanguard.report.counting import counted
from cleanguard.report.escaping import for_json
from cleanguard.report.spoken import say
from cleanguard.settings import baseline


@click.command("baseline")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=f"Where to write it; the configured one, or {baseline.DEFAULT_NAME}.",
)
@configuration_options
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[str, ...],
    output: Path | None,
    config: tuple[str, ...],
    isolated: bool,
) -> None:
    """Write the findings in PATHS to a file that `cleanguard check --baseline` holds new ones against.

    Broken files (CG900) are not entered; they are reported until they are mended. A folder that cannot be
    listed leaves with 2, as nothing in it was entered.
    """
    from lint_rules._engine.pipeline import check_files

    found = inputs_of(paths, Overrides(config=config, isolated=isolated), notebooks=True)
    if found.problems:
        raise JobError("\n".join(found.problems))
    settings, files = found.settings, found.files
    file = output or settings.root / (settings.baseline or baseline.DEFAULT_NAME)
    writable(file)
    run = check_files(files, settings)
    for failure in run.failures:
        say(f"cleanguard: {failure}", err=True)
    if run.failures:
        ctx.exit(CANNOT_DO)
    for finding in run.findings:
        if finding.code == UNREADABLE.code:
            place = f"{finding.filename}:{finding.location}"
            say(f"cleanguard: {place}: {finding.message} (CG900)", err=True)
    entries = baseline.entries_of(run.findings, sources_of(files), file)
    write_out(file, for_json(baseline.dump(entries)), "cannot write the baseline")
    say(f"Wrote {counted(len(entries), 'finding')} to {file}.")
    ctx.exit(CANNOT_DO if any(one.unlisted for one in files) else CLEAN)
