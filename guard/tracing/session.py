"""`guard.traced()`: the judgement of a trace for a block of code, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanguard.catalogue.findings import Finding
from cleanguard.settings.config import Settings, load_settings
from guard.observing.recorder import RECORDER, observe
from guard.observing.seen import Seen
from guard.tracing.child import Watching
from guard.tracing.findings import findings_of
from guard.tracing.gathering import Gathered, merged
from guard.tracing.journal import Journal

if TYPE_CHECKING:
    from guard.tracing.judge import Judge


def scope_of(settings: Settings) -> dict[str, Any]:
    """What a judge needs to know of settings, in JSON types."""
    return {
        "scope": settings.scope,
        "base_models": list(settings.base_models),
        "chat_models": list(settings.chat_models),
    }


class Lines(Journal):
    """A journal that is kept in memory."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        super().__init__(Path())

    def _open(self) -> None:
        self._waits = False

    def close(self, **more: Any) -> None:
        """Keep the final counts."""
        self._write_counts()
        self._write({"type": "end", **more})

    def _write(self, item: dict[str, Any]) -> None:
        with self._lock:
            self.lines.append(item)


class Traced:
    """What was seen in a block, and what is wrong with it.

    Attributes:
        seen: The events.
        settings: Selection, severities and suppressions, as `check` reads them.
    """

    def __init__(self, seen: Seen, settings: Settings, lines: Lines) -> None:
        self.seen, self.settings, self._lines = seen, settings, lines

    @property
    def gathered(self) -> Gathered:
        """Hazards and places with their counts."""
        return merged([self._lines.lines])

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings so far, each once for its place, in the order of a report."""
        return findings_of(self.gathered, self.settings, Path.cwd())


@contextmanager
def traced(settings: Settings | None = None, judge: Judge | None = None) -> Iterator[Traced]:
    """Watch a block as `cleanguard trace` watches a script, without children.

    Args:
        settings: What is reported; the configuration of the current folder if None.
        judge: One that knows models from before; a new one if None.

    Yields:
        What was seen so far, with `findings`.

    Raises:
        ConfigError: The configuration cannot be used.
    """
    settings = load_settings(Path.cwd()) if settings is None else settings
    lines = Lines()
    watching = Watching(lines, scope_of(settings), judge)
    judged = Seen(watching.hear)
    with observe() as seen:
        RECORDER.join(judged)
        try:
            yield Traced(seen, settings, lines)
        finally:
            RECORDER.leave(judged)
            watching.close()
            judged.tell_failures()
