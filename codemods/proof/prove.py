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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanguard.report.counting import counted
from codemods.proof.scratch import ScratchError, mirror
from codemods.proof.walked import unwalked
from lint_rules._run.source import SourceError, decode

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
        unwalked: 1-based lines of rewritten statements of the old version that the run did not reach.
        stood_in: The models whose tokenizer's files are not at hand, so that a stand-in gave the ids.
    """

    verdict: str
    differences: tuple[str, ...]
    calls: int
    unwalked: tuple[int, ...] = ()
    stood_in: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """The verdict, with what the runs do not prove."""
        return f"{self.verdict}{_limits(self.unwalked, self.stood_in)}"


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
    abouts: list[dict[str, list[Any]]] = []
    for name, content in (("before", before), ("after", after)):
        calls, about, problem = _recorded(script, content, arguments, folder)
        abouts.append(about)
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
    missed = _unwalked(before, after, abouts[0])
    stood_in = tuple(abouts[0].get("stood in", ()))
    if differences:
        text = f"{counted(len(differences), 'difference')}"
        return Proof(text, tuple(differences), len(old), missed, stood_in)
    text = f"the same {counted(len(old), 'call')} with the same token ids and settings"
    return Proof(text, (), len(old), missed, stood_in)


def _unwalked(before: bytes, after: bytes, about: dict[str, list[Any]]) -> tuple[int, ...]:
    try:
        old, new = decode(before).text, decode(after).text
    except SourceError:
        return ()
    return unwalked(old, new, set(about.get("walked", ())))


def _limits(missed: Sequence[int], stood_in: Sequence[str]) -> str:
    """What the runs do not prove."""
    said = ""
    if missed:
        rows = ", ".join(map(str, missed))
        said += f"; not proven: {'line' if len(missed) == 1 else 'lines'} {rows}, which the run did not reach"
    if stood_in:
        said += f"; the ids are a stand-in's: no tokenizer files of {', '.join(stood_in)} are here"
    return said


def _recorded(
    script: Path, content: bytes, arguments: tuple[str, ...], folder: Path | None
) -> tuple[list[dict[str, object]], dict[str, list[Any]], str | None]:
    script = script.resolve()
    start = script.parent if folder is None else folder.resolve()
    start = start if script.is_relative_to(start) else script.parent
    with tempfile.TemporaryDirectory(prefix="cleanguard-prove-") as space:
        place, record = Path(space, "run").resolve(), Path(space, "calls.jsonl")
        try:
            mirror(start, place)
        except ScratchError as error:
            return [], {}, str(error)
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
            return [], {}, f"it took more than {_SECONDS} s; a smaller run does, see --prove-args"
        if done.returncode:
            return [], {}, _complaint(done.stderr, done.returncode, arguments)
        lines = record.read_text(encoding="utf-8").splitlines()
        about = json.loads(record.with_suffix(".about").read_text(encoding="utf-8"))
        return [json.loads(line) for line in lines], about, None


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
