"""Starts the watch in a process of a traced script, before its first line runs."""

from __future__ import annotations

import atexit
import json
import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

from cleanguard.report.spoken import say
from guard.observing.events import Blind, Event
from guard.observing.recorder import RECORDER
from guard.observing.seen import Seen
from guard.tracing.children import follow
from guard.tracing.journal import Journal

FOLDER = "CLEANGUARD_TRACE"
SCOPE = "CLEANGUARD_TRACE_SCOPE"


class Watching:
    """The watch of this process: events go to a judge, facts to the journal.

    The judge is made when the first event comes: it needs jinja2 and what comes with it, which a
    script without models does not have to wait for.
    """

    def __init__(self, journal: Journal, scope: dict[str, Any], judge: Any = None) -> None:
        self.journal = journal
        self.scope = scope
        self._judge = judge
        self._lock = threading.RLock()
        self._busy = False

    def hear(self, event: Event) -> None:
        """Judge an event; the recorder is mute meanwhile, and gives at most blind spots of the judge's."""
        with self._lock:
            if self._busy:
                if isinstance(event, Blind):
                    self.journal.event(event)
                return
            self._busy = True
            try:
                self.journal.event(event)
                RECORDER.quietly(partial(self._facts, event))
            finally:
                self._busy = False

    def _facts(self, event: Event) -> None:
        if self._judge is None:
            self._judge = judge_of(self.scope)
        for fact in self._judge.facts(event):
            self.journal.fact(fact)

    def _closing(self) -> None:
        if self._judge is not None:
            for fact in self._judge.closing():
                self.journal.fact(fact)

    def forked(self) -> None:
        """A child of the process goes on in a journal of its own."""
        self._lock = threading.RLock()
        self._busy = False
        self.journal.forked()

    def close(self, *, failed: str | None = None) -> None:
        """Write the last counts, and what the watch failed at."""
        with RECORDER.muted():
            RECORDER.quietly(self._closing)
        counts = self._judge.batches.counts if self._judge is not None else {}
        self.journal.close(training=dict(counts), failed=failed or None)


def judge_of(scope: dict[str, Any]) -> Any:
    """A judge for what the configuration says about models."""
    from guard.tracing.judge import Judge
    from guard.tracing.subjects import Scope

    patterns = {key: tuple(scope.get(key, ())) for key in ("base_models", "chat_models")}
    return Judge(RECORDER, Scope(scope.get("scope", "base"), **patterns))


def start() -> None:
    """Watch this process, as the environment says; called once, at the start of Python."""
    folder = os.environ.get(FOLDER)
    if not folder or not Path(folder).is_dir():
        return
    watching = Watching(Journal(Path(folder)), json.loads(os.environ.get(SCOPE) or "{}"))
    seen = Seen(watching.hear)
    RECORDER.join(seen)
    os.register_at_fork(after_in_child=watching.forked)
    close = partial(_close, watching, seen)
    atexit.register(_tell_failure, seen)
    atexit.register(close)
    follow(watching.journal, close)


def _close(watching: Watching, seen: Seen) -> None:
    watching.close(failed=seen.failure)


def _tell_failure(seen: Seen) -> None:
    """A journal that cannot be written, as on a full disk, is told behind the script's own output."""
    if seen.failure:
        say(f"cleanguard: the watch of this process {seen.failure}", err=True)


def main() -> None:
    """For `sitecustomize`: a fault here must not keep a script from running."""
    try:
        start()
    except Exception as error:  # noqa: BLE001 - said, and the script runs
        say(f"cleanguard: this process is not watched: {error}", err=True)
