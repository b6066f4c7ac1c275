"""Runs something again whenever what it looks at changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

INTERVAL = 0.5


def watch(
    run: Callable[[], None],
    files: Callable[[], Iterable[Path]],
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Runs once, and again after each change, until interrupted.

    Args:
        run: What to do.
        files: The files to look at; asked again each time, because new ones appear.
        wait: Waits for a number of seconds.
    """
    while True:
        before = _state(files())
        run()
        while _state(files()) == before:
            wait(INTERVAL)


def _state(files: Iterable[Path]) -> dict[Path, tuple[int, int]]:
    state: dict[Path, tuple[int, int]] = {}
    for file in files:
        try:
            found = file.stat()
        except OSError:
            continue  # it went away between the listing and now; the next listing says so
        state[file] = (found.st_mtime_ns, found.st_size)
    return state
