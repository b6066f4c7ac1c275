"""`--prove`: runs a script before and after with recording stand-ins for the models, and compares.

The script's own code runs, in a subprocess in its own folder. Loads, generations and scoring are
recorded instead of done: the tokens that a prompt becomes, and the settings that reach the model.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Proof:
    """What two runs of a script showed.

    Attributes:
        verdict: In words.
        differences: What was not the same, each in words; empty for a proof.
        calls: Calls that were compared.
    """

    verdict: str
    differences: tuple[str, ...]
    calls: int


def compare_runs(
    script: Path, before: bytes, after: bytes, arguments: tuple[str, ...] = ()
) -> Proof:
    """Runs two versions of a script and compares what they ask of their models.

    Args:
        script: Where the script lies; it runs in that folder.
        before: The old version.
        after: The new version.
        arguments: The script's command line.
    """
    runs: list[list[dict[str, object]]] = []
    for name, content in (("before", before), ("after", after)):
        calls, problem = _recorded(script, content, arguments)
        if problem is not None:
            text = f"the script did not run {name} its migration: {problem}"
            return Proof(f"not proven: {text}", (text,), 0)
        runs.append(calls)
    old, new = runs
    differences = [
        f"call {number}: {_told(a)} became {_told(b)}"
        for number, (a, b) in enumerate(zip(old, new, strict=False), start=1)
        if a != b
    ]
    if len(old) != len(new):
        differences.append(f"{len(old)} calls became {len(new)}")
    if not old:
        text = "the script asked nothing of a model, so there is nothing to compare"
        return Proof(f"not proven: {text}", (text,), 0)
    if differences:
        return Proof(f"{len(differences)} differences", tuple(differences), len(old))
    return Proof(f"the same {len(old)} calls with the same token ids and settings", (), len(old))


def _recorded(
    script: Path, content: bytes, arguments: tuple[str, ...]
) -> tuple[list[dict[str, object]], str | None]:
    with tempfile.TemporaryDirectory(prefix="cleanguard-prove-") as folder:
        place = Path(folder)
        copy, record = place / script.name, place / "calls.jsonl"
        copy.write_bytes(content)
        record.touch()
        # -m puts the script's own folder first on the path, as running the script would.
        command = [sys.executable, "-m", "codemods._stand_ins", str(record), str(copy), *arguments]
        root = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), root]))
        try:
            done = subprocess.run(
                command,
                cwd=script.resolve().parent,
                env=os.environ | {"PYTHONPATH": path},
                capture_output=True,
                text=True,
                check=False,
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return [], f"it took more than {_SECONDS} s"
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            return [], last
        lines = record.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines], None


def _told(call: dict[str, object]) -> str:
    return json.dumps(call, sort_keys=True)
