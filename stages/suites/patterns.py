"""Looks for the patterns of a suite in a process of its own, which is ended where one takes too long.

Python's `re` may try ways to match without end, and nothing in the same process stops it. The process
is limited by processor time, so that a busy machine changes no verdict, and ends with ours.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Lock, Thread

SECONDS = 2.0  # of processor time, for one text
WALL = 60.0
# The kernel ends it: a handler in Python would wait for `re`.
_PROGRAM = """
import json, re, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
limited = hasattr(signal, "setitimer")
for line in sys.stdin:
    pattern, text, seconds = json.loads(line)
    if limited:
        signal.setitimer(signal.ITIMER_PROF, seconds)
    found = re.search(pattern, text)
    if limited:
        signal.setitimer(signal.ITIMER_PROF, 0)
    group = found[1] if found is not None and found.re.groups else None
    print(json.dumps([found is not None, group]), flush=True)
"""


class PatternTooSlowError(Exception):
    """A pattern was not found or ruled out within its time."""

    def __init__(self, pattern: str, seconds: float) -> None:
        super().__init__(f"the pattern {pattern!r} took more than {seconds:g} s")


@dataclass(frozen=True, slots=True)
class Match:
    """What was found.

    Attributes:
        group: The text of the pattern's first group; None where it has none or took no part.
    """

    group: str | None


class Searcher:
    """A process that searches.

    Args:
        seconds: Most processor time for one text.
        wall: Most time on the clock; it stops what waits, and all where no processor time is counted.
        command: What is run; it answers a line of JSON with one.
    """

    def __init__(
        self,
        *,
        seconds: float = SECONDS,
        wall: float = WALL,
        command: Sequence[str] = (sys.executable, "-I", "-S", "-c", _PROGRAM),
    ) -> None:
        self._seconds, self._wall, self._command = seconds, wall, tuple(command)
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0
        self._answers: Queue[str] = Queue()
        self._lock = Lock()

    def search(self, pattern: str, text: str) -> Match | None:
        """The first match, as `re.search` has it.

        Raises:
            PatternTooSlowError: It takes too long; the process was ended, and the next call starts another.
        """
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps([pattern, text, self._seconds]) + "\n")
                process.stdin.flush()
                answer = self._answers.get(timeout=self._wall)
            except (Empty, OSError):
                answer = ""
            if not answer:
                self._end()
                raise PatternTooSlowError(pattern, self._seconds)
        found, group = json.loads(answer)
        return Match(group) if found else None

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _running(self) -> subprocess.Popen[str]:
        # A forked process must not share the pipes of ours.
        gone = self._process is None or self._process.poll() is not None
        if gone or self._owner != os.getpid():
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                encoding="ascii",
            )  # fmt: skip
            self._owner, self._answers = os.getpid(), Queue()
            Thread(target=_read, args=(self._process, self._answers), daemon=True).start()
        assert self._process is not None
        return self._process

    def _end(self) -> None:
        if self._process is not None and self._owner == os.getpid():
            self._process.kill()
            self._process.wait()
        self._process = None


def _read(process: subprocess.Popen[str], answers: Queue[str]) -> None:
    """Hand on each line, and an empty one at the end."""
    assert process.stdout is not None
    for line in process.stdout:
        answers.put(line)
    answers.put("")


_searcher = Searcher()
atexit.register(_searcher.close)


def search(pattern: str, text: str) -> Match | None:
    """As `Searcher.search`, in the one process of this run."""
    return _searcher.search(pattern, text)
