"""A process beside ours that answers line by line, and is ended where an answer takes too long."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from queue import Empty, Queue
from threading import Lock, Thread


class Child:
    """A process that is started when it is first asked, and again after it was ended.

    Args:
        command: Says what is run, each time that it is; it answers a line with a line, in ASCII.
    """

    def __init__(self, command: Callable[[], Sequence[str]]) -> None:
        self._command = command
        self.process: subprocess.Popen[str] | None = None
        self._owner = 0
        self._answers: Queue[str] = Queue()
        self._lock = Lock()

    def ask(self, line: str, wall: float) -> tuple[str, ...] | None:
        """What is answered: one line of JSON, or the last words of a process that ended.

        Args:
            line: What is asked.
            wall: Most seconds on the clock; None is returned after them, and the process was ended.
        """
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            try:
                process.stdin.write(line + "\n")
                process.stdin.flush()
                answer = self._answers.get(timeout=wall)
            except OSError:
                answer = ""
            except Empty:
                self._end()
                return None
            if answer.startswith(("[", "{")):
                return (answer,)
            found = []
            while answer:
                found.append(answer)
                try:
                    answer = self._answers.get(timeout=5)
                except Empty:
                    break
            self._end()
            return tuple(found)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _running(self) -> subprocess.Popen[str]:
        # A forked process must not share the pipes of ours.
        gone = self.process is None or self.process.poll() is not None
        if gone or self._owner != os.getpid():
            self.process = subprocess.Popen(
                self._command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                encoding="ascii", errors="replace",
            )  # fmt: skip
            self._owner, self._answers = os.getpid(), Queue()
            Thread(target=_read, args=(self.process, self._answers), daemon=True).start()
        assert self.process is not None
        return self.process

    def _end(self) -> None:
        if self.process is not None and self._owner == os.getpid():
            self.process.kill()
            self.process.wait()
        self.process = None


def _read(process: subprocess.Popen[str], answers: Queue[str]) -> None:
    """Hand on each line, and an empty one at the end."""
    assert process.stdout is not None
    for line in process.stdout:
        answers.put(line)
    answers.put("")
