"""`--prove`: runs a script before and after with recording stand-ins for the models, and compares.

The script's own code runs, in a subprocess, in a copy of the folder that it is started from. Loads,
generations and scoring are recorded instead of done: the tokens that a prompt becomes, and the
settings that reach the model.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from codemods.proof.scratch import ScratchError, mirror

_SECONDS = 120
_ROOT = str(Path(__file__).resolve().parents[2])
# A folder of the user's called `codemods` must not stand in the way.
_START = f"import sys; sys.path[0] = {_ROOT!r}; from codemods.proof.stand_ins import main; main()"


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
    script: Path,
    before: bytes,
    after: bytes,
    arguments: tuple[str, ...] = (),
    folder: Path | None = None,
) -> Proof:
    """Runs two versions of a script and compares what they ask of their models.

    Each runs in a copy of `folder`, so that no result of an earlier run is written over.

    Args:
        script: Where the script lies.
        before: The old version.
        after: The new version.
        arguments: The script's command line.
        folder: Where it is started from; the script's own folder if None, or if it lies elsewhere.
    """
    runs: list[list[dict[str, object]]] = []
    for name, content in (("before", before), ("after", after)):
        calls, problem = _recorded(script, content, arguments, folder)
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
    script: Path, content: bytes, arguments: tuple[str, ...], folder: Path | None
) -> tuple[list[dict[str, object]], str | None]:
    script = script.resolve()
    start = script.parent if folder is None else folder.resolve()
    start = start if script.is_relative_to(start) else script.parent
    with tempfile.TemporaryDirectory(prefix="cleanguard-prove-") as space:
        place, record = Path(space, "run").resolve(), Path(space, "calls.jsonl")
        try:
            mirror(start, place)
        except ScratchError as error:
            return [], str(error)
        copy = place / script.relative_to(start)
        copy.unlink(missing_ok=True)
        copy.write_bytes(content)
        record.touch()
        command = [sys.executable, "-c", _START, str(record), str(start), str(copy), *arguments]
        try:
            done = subprocess.run(
                command,
                cwd=place,
                env=os.environ | {"PYTHONPATH": _path(), "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return [], f"it took more than {_SECONDS} s; a smaller run does, see --prove-args"
        if done.returncode:
            return [], _complaint(done.stderr, done.returncode, arguments)
        lines = record.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines], None


def _path() -> str:
    """Where the subprocess finds this package, behind what the user's scripts are given."""
    return os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), _ROOT]))


def _complaint(errors: str, code: int, arguments: tuple[str, ...]) -> str:
    """What a failed run said last; what argparse refuses is answered with the option.

    An error of several lines is told by its first: those below it are indented.
    """
    lines = errors.strip().splitlines() or [f"it ended with exit code {code}, without a message"]
    last = next((line for line in reversed(lines) if line and not line[0].isspace()), lines[-1])
    if code == 2 and "error:" in last:
        more = "" if arguments else "; give the script its command line with --prove-args"
        return f"{last.strip()}{more}"
    return last


def _told(call: dict[str, object]) -> str:
    return json.dumps(call, sort_keys=True)
