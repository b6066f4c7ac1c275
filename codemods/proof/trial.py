"""One run of a script in a copy of its folder, and what it recorded."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codemods.proof.ends import SECONDS, End, end_of, too_slow
from codemods.proof.recording import about_of, amends_of, entries
from codemods.proof.scratch import mirror

_ROOT = str(Path(__file__).resolve().parents[2])
# A folder of the user's called `codemods` must not stand in the way.
_START = f"import sys; sys.path[0] = {_ROOT!r}; from codemods.proof.stand_ins import main; main()"
# They measure which lines are run, as the trial does, and there is one who can.
_UNSET = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
_READ = 1 << 16


@dataclass(frozen=True, slots=True)
class Run:
    """What a run recorded.

    Attributes:
        calls: What it asked of its models, in order; in a fixed one if `beside`.
        end: How it ended.
        walked: 1-based lines of the script that were run.
        stood_in: The models whose tokenizer's files are not at hand.
        amended: The amendments that did something, by number.
        beside: Several threads or processes asked, in no order of their own.
        anew: It started Python anew, of which nothing is seen.
    """

    calls: tuple[dict[str, Any], ...]
    end: End
    walked: frozenset[int] = frozenset()
    stood_in: tuple[str, ...] = ()
    amended: frozenset[int] = frozenset()
    beside: bool = False
    anew: bool = False


class Trial:
    """Runs versions of one script, each in a fresh copy of its folder that lies at the same place."""

    def __init__(
        self, script: Path, arguments: Sequence[str], folder: Path | None, space: Path
    ) -> None:
        """Prepare.

        Args:
            script: Where the script lies.
            arguments: Its command line.
            folder: Where it is started from; the script's own folder if None, or if it lies elsewhere.
            space: A folder for the copies.
        """
        self._script = script.resolve()
        start = self._script.parent if folder is None else folder.resolve()
        self._start = start if self._script.is_relative_to(start) else self._script.parent
        self._arguments = tuple(arguments)
        self._space = space.resolve()

    def run(self, content: bytes, amends: Sequence[Mapping[str, Any]] = ()) -> Run:
        """Runs one version of the script.

        Args:
            content: The version.
            amends: What is done otherwise than the script says, as `codemods.proof.amends` takes it.

        Raises:
            ScratchError: The folder cannot be copied.
            OSError: The copy cannot be written.
        """
        place, record = self._lay(content, amends)
        copy = place / self._script.relative_to(self._start)
        words = (str(record), str(self._start), str(copy), *self._arguments)
        errors = self._space / "errors"
        code = _finished([sys.executable, "-c", _START, *words], place, self._environment(), errors)
        about = entries(about_of(record))
        end = (
            too_slow()
            if code is None
            else end_of(_all(about, "end"), code, _last_of(errors), self._arguments)
        )
        calls = entries(record)
        beside = any("beside" in call for call in calls)
        if beside:
            for call in calls:
                call.pop("beside", None)
            calls.sort(key=lambda call: json.dumps(call, sort_keys=True))
        return Run(
            tuple(calls),
            end,
            frozenset(_all(about, "line")),
            tuple(sorted(set(_all(about, "stood in")))),
            frozenset(_all(about, "amended")),
            beside,
            bool(_all(about, "anew")),
        )

    def _lay(self, content: bytes, amends: Sequence[Mapping[str, Any]]) -> tuple[Path, Path]:
        """The copy of the folder with this version in it, and the file that its calls are recorded in."""
        for old in self._space.iterdir():
            if old.is_dir() and not old.is_symlink():
                shutil.rmtree(old)
            else:
                old.unlink()
        place, record = self._space / "run", self._space / "calls.jsonl"
        mirror(self._start, place)
        (self._space / "tmp").mkdir()
        copy = place / self._script.relative_to(self._start)
        copy.unlink(missing_ok=True)
        copy.write_bytes(content)
        record.touch()
        if amends:
            amends_of(record).write_text(json.dumps(list(amends)), encoding="utf-8")
        return place, record

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in _UNSET}
        temporary = str(self._space / "tmp")
        return kept | {
            "PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), _ROOT])),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",  # sets have the same order in each run
            "TMPDIR": temporary,
            "TEMP": temporary,
            "TMP": temporary,
        }


def _finished(
    command: Sequence[str], place: Path, environment: Mapping[str, str], errors: Path
) -> int | None:
    """The exit code of a process, None for one that takes too long; what it started ends with it."""
    with errors.open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=place,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stream,
            start_new_session=True,
        )
        try:
            return process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _last_of(errors: Path) -> str:
    raw = errors.read_bytes()[-_READ:]
    return raw.decode("utf-8", errors="replace")


def _all(about: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    return [entry[name] for entry in about if name in entry]
