"""`cleanguard env`: the session's versions, devices and git state as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cleanguard.cli.outputs import writable
from cleanguard.cli.progress import waiting
from cleanguard.cli.writing import write_out
from cleanguard.report.escaping import for_json
from cleanguard.report.spoken import put, say


@click.command("env")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it to this file instead of printing it.",
)
def command(output: Path | None) -> None:
    """Measure this session: versions, CUDA, driver, GPUs, torch settings, git state, command line.

    What is unknown, or not installed, is null. Secrets are hidden. Keep the file beside the results
    of a session.
    """
    if output is not None:
        writable(output, make=False)
    from guard.provenance.environment import session

    with waiting("Measuring"):
        text = for_json(json.dumps(session(), indent=2)) + "\n"
    if output is None:
        put(text)
        return
    write_out(output, text, "cannot be written")
    say(f"wrote {output}", err=True)
