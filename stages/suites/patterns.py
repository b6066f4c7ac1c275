"""Looks for the patterns of a suite in a process of its own, which is ended where one takes too long.

Python's `re` may try ways to match without end, and nothing in the same process stops it. The process
is limited by processor time, so that a busy machine changes no verdict, and ends with ours.
"""

from __future__ import annotations

import atexit
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from stages.suites.child import Child
from stages.suites.unjudged import UnjudgedError

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


class PatternTooSlowError(UnjudgedError):
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
        self._seconds, self._wall = seconds, wall
        self.child = Child(lambda: command)

    def search(self, pattern: str, text: str) -> Match | None:
        """The first match, as `re.search` has it.

        Raises:
            PatternTooSlowError: It takes too long; the process was ended, and the next call starts another.
        """
        answer = self.child.ask(json.dumps([pattern, text, self._seconds]), self._wall)
        if not answer:
            raise PatternTooSlowError(pattern, self._seconds)
        found, group = json.loads(answer[0])
        return Match(group) if found else None

    def close(self) -> None:
        """End the process."""
        self.child.close()


_searcher = Searcher()
atexit.register(_searcher.close)


def search(pattern: str, text: str) -> Match | None:
    """As `Searcher.search`, in the one process of this run."""
    return _searcher.search(pattern, text)
