"""The last act of `demo --full`: the chain of stages, as a user would start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from cleanguard.cli.showing.demo_acts import quiet
from cleanguard.errors import JobError

REPORT = Path("chain", "evaluate", "report.html")
_MODELS = ("base", "sft", "dpo")
_BEGINS = "chain: "


@dataclass(frozen=True, slots=True)
class Chain:
    """What the chain came to.

    Attributes:
        lines: As it printed them, without the places of its files.
        items, clusters: What the models were evaluated on.
        better: Each trained model is called better than the one before it.
    """

    lines: tuple[str, ...]
    items: int
    clusters: int
    better: bool


def run_chain(folder: Path, begun: Callable[[str], None]) -> Chain:
    """Runs every stage on the embedded model.

    Args:
        folder: Its files go into `chain` in here.
        begun: Called with the name of each stage as it begins.

    Raises:
        JobError: A stage failed; the end of what it said is in the message.
    """
    code = "from cleanguard.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "run", "chain", "--out", "chain"],
        cwd=folder,
        env={**os.environ, **quiet()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith(_BEGINS):
                begun(line.removeprefix(_BEGINS).strip())
        printed = process.stdout.read()
    if process.returncode:
        raise JobError(f"the chain failed with {process.returncode}:\n{''.join(said)[-2000:]}")
    report = json.loads((folder / REPORT).with_suffix(".json").read_text(encoding="utf-8"))
    calls = {(one["before_name"], one["after_name"]): one["call"] for one in report["primary"]}
    return Chain(
        tuple(line for line in printed.splitlines() if not line.startswith("report: ")),
        report["n"],
        report["clusters"],
        all(calls.get(step) == "better" for step in pairwise(_MODELS)),
    )
