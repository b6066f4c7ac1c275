"""What each process of a traced script saw, line by line on disk, so that no crash takes it away.

A fact is written when it is first seen, and its count whenever that has doubled and at the end: a
process that is killed leaves every site and a lower bound of the counts.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from guard.observing.events import (
    Batch,
    Blind,
    Change,
    Decode,
    Encode,
    Event,
    Generate,
    Load,
    Prefill,
    Render,
    Save,
    Seed,
    as_json,
)
from guard.tracing.facts import Fact

SUFFIX = ".trace.jsonl"
_WHOLE = (Load, Save, Seed, Blind, Change)  # few in a run, and each a record of its own


class Journal:
    """One process's file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._file: TextIO | None = None
        self._counts: Counter[tuple[Any, ...]] = Counter()
        self._open()

    def child(self, pid: int, argv: list[str]) -> None:
        """A Python process that was started."""
        self._write({"type": "child", "pid": pid, "argv": argv[:16]})

    def _open(self) -> None:
        self.pid, self._waits = os.getpid(), False
        path = self.folder / f"{self.pid}-{time.time_ns()}{SUFFIX}"
        self._file = path.open("w", encoding="utf-8", errors="backslashreplace")
        self._counts.clear()
        self._write(
            {
                "type": "process",
                "pid": self.pid,
                "parent": os.getppid(),
                "argv": list(getattr(sys, "argv", [])) or list(sys.orig_argv),
                "python": sys.version.split()[0],
                "executable": sys.executable,
                "began": time.time(),
            }
        )

    def forked(self) -> None:
        """Go on in a file of the child's own, once there is something to write."""
        self._lock = threading.RLock()
        self._file = None
        self._counts.clear()
        self._waits = True

    def event(self, event: Event) -> None:
        """Count a site, and write what is few in a run."""
        if type(event) in _WHOLE:
            self._write({"type": "event", **as_json(event)})
        site = event.site
        # What raised did not do what was asked for: nothing is confirmed or contradicted there.
        kind = event.kind if event.raised is None else f"{event.kind} that raised"
        key = ("site", kind, site.filename, site.line, site.column)
        self._count(
            key,
            lambda: {
                "type": "site",
                "what": kind,
                "site": as_json(site),
                "callers": as_json(event.callers),
                **_sizes(event),
            },
        )

    def fact(self, fact: Fact) -> None:
        """Write a fact, or count it."""
        self._count(
            ("fact", *fact.key),
            lambda: {
                "type": "fact",
                "code": fact.hazard.code,
                "severity": fact.severity,
                "site": as_json(fact.site),
                "message": fact.message,
                "remedy": fact.remedy,
                "related": as_json(fact.related),
                "evidence": as_json(fact.evidence),
            },
        )

    def close(self, **more: Any) -> None:
        """Write the final counts."""
        with self._lock:
            if self._file is None:
                return
            self._write_counts()
            self._write({"type": "end", "ended": time.time(), **more})
            self._file.close()
            self._file = None

    def _write_counts(self) -> None:
        for key, number in self._counts.items():
            if number & (number - 1):
                self._write({"type": "count", "key": list(key), "number": number})

    def _count(self, key: tuple[Any, ...], first: Callable[[], dict[str, Any]]) -> None:
        with self._lock:
            number = self._counts[key] = self._counts[key] + 1
            if number == 1:
                self._write({**first(), "key": list(key)})
            elif not number & (number - 1):
                self._write({"type": "count", "key": list(key), "number": number})

    def _write(self, item: dict[str, Any]) -> None:
        with self._lock:
            if self._waits:
                self._open()
            if self._file is not None:
                self._file.write(json.dumps(item, default=str) + "\n")
                self._file.flush()


def _sizes(event: Event) -> dict[str, Any]:
    if isinstance(event, Generate):
        return {"rows": len(event.ids), "engine": event.engine, "guarded": event.guarded}
    if isinstance(event, Prefill):
        return {"rows": len(event.ids), "training": event.training, "guarded": event.guarded}
    if isinstance(event, (Encode, Decode, Render)):
        return {"rows": len(event.ids) or len(event.texts)}
    if isinstance(event, Batch):
        return {"trainer": event.trainer, "collator": event.collator}
    if isinstance(event, Load):
        return {"of": event.what}
    return {"of": event.what} if isinstance(event, Save) else {}


def read(folder: Path) -> Iterator[list[dict[str, Any]]]:
    """The lines of each process's journal, oldest first; a line that was cut off is left out."""
    for path in sorted(folder.glob(f"*{SUFFIX}"), key=lambda one: one.stat().st_mtime_ns):
        lines: list[dict[str, Any]] = []
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue
        yield lines
