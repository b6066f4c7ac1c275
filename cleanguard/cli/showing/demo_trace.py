"""The demo's act with `trace`: one legacy script as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cleanguard.cli.showing.demo_acts import EXAMPLE, quiet
from cleanguard.errors import JobError

_ITEMS = "3"


def trace_example(folder: Path) -> Path:
    """Runs the example script of a folder under `cleanguard trace`, on a few items; gives the saved trace.

    Raises:
        JobError: The script failed.
    """
    from stages.tiny import model_path

    saved, output = folder / "trace.json", folder / "traced.json"
    command = [sys.executable, "-c", "from cleanguard.cli import main; main()", "trace"]
    command += ["--exit-zero", "--save", str(saved), EXAMPLE, "--limit", _ITEMS]
    command += ["--model", str(model_path()), "--output", str(output)]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **quiet()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not saved.is_file():
        raise JobError(
            f"the trace of {EXAMPLE} failed with {done.returncode}:\n{done.stderr[-2000:]}"
        )
    return saved
