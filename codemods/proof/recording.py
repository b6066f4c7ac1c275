"""What a trial run writes down while it goes on, and how it is read afterwards.

Each entry is one line of JSON that is appended at once: what came before a process was killed is there, and forked
processes and threads write into the same files.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any


class Journal:
    """A file of entries."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self._owner = os.getpid()

    def put(self, **entry: Any) -> None:
        """Append one entry."""
        line = json.dumps(entry, sort_keys=True) + "\n"
        with self.target.open("ab", buffering=0) as stream:  # one write, which nothing comes into
            stream.write(line.encode("utf-8"))

    @property
    def is_beside(self) -> bool:
        """Whether who asks is another thread or process than the one that the run began with."""
        return (
            os.getpid() != self._owner or threading.current_thread() is not threading.main_thread()
        )


def entries(target: Path) -> list[dict[str, Any]]:
    """What was written down; a last line that a killed process left unfinished does not count."""
    if not target.is_file():
        return []
    whole, _, _ = target.read_text(encoding="utf-8").rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


def about_of(record: Path) -> Path:
    """Where a run that records its calls in `record` says the rest: lines walked, tokenizers, how it ended."""
    return record.with_suffix(".about")


def amends_of(record: Path) -> Path:
    """Where such a run reads what is to be amended in it."""
    return record.with_suffix(".amends")
