"""`cleanguard env`: the session's versions, devices and git state as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from cleanguard.errors import JobError


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
    from guard.provenance.environment import session

    text = json.dumps(session(), indent=2) + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise JobError(f"{output} cannot be written: {error.strerror}") from error
    click.echo(f"wrote {output}", err=True)
