"""A progress bar on the error stream, on a terminal, for what takes longer than a second."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from cleanguard.report.spoken import put

if TYPE_CHECKING:
    from rich.progress import Progress

DELAY = 1.0
_EVERY = 0.1


@contextmanager
def bar(
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
    doing: str = "Checking",
) -> Iterator[Callable[[int, int], None] | None]:
    """What to call with the number of files that are done and of all; None where nobody would see it.

    Nothing is drawn between calls, so no thread runs while processes are forked.
    """
    stream = stream or sys.stderr
    if not stream.isatty():
        yield None
        return
    drawn: Progress | None = None
    start = last = clock()

    def show(done: int, total: int) -> None:
        nonlocal drawn, last
        now = clock()
        if now - start < DELAY or now - last < _EVERY:
            return
        last = now
        if drawn is None:
            drawn = _progress(stream)
            drawn.add_task(doing, total=total)
            drawn.start()
        drawn.update(drawn.task_ids[0], completed=done)
        drawn.refresh()

    try:
        yield show
    finally:
        if drawn is not None:
            drawn.stop()


@contextmanager
def waiting(doing: str, delay: float = DELAY, every: float = 1.0) -> Iterator[None]:
    """On a terminal, says what takes so long and for how many seconds, where nothing can be counted.

    A thread says it: nothing may be forked meanwhile.
    """
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()

    def tick() -> None:
        start = time.monotonic()
        if done.wait(delay):
            return
        pause = False
        while not pause:
            put(f"\r\x1b[2K{doing} … {time.monotonic() - start:.0f} s", err=True)
            sys.stderr.flush()
            pause = done.wait(every)
        put("\r\x1b[2K", err=True)
        sys.stderr.flush()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _progress(stream: TextIO) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(file=stream, force_terminal=True)
    return Progress(*columns, console=console, auto_refresh=False, transient=True)
