"""Notices processes of a run that do not go on, and names them: the others would wait for days.

A process that ends is noticed by its connections. One that hangs, in NCCL, in a driver or on a disk, is not: it
holds its connections, and what waits for it may not even answer Ctrl-C. So every process leaves a mark of where it
is in the run's folder, and looks at those of the others from a thread of its own.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cleanguard.errors import JobError
from cleanguard.report.spoken import say
from stages.processes.ranks import rank, world_size

VARIABLE = "CLEANGUARD_HANG_SECONDS"
_PATIENCE = 1200.0
_BEGINNING = 6  # times the patience, for loading: weights are read and hashed without a mark
MARKS = ".processes"
_here: _Watch | None = None


@contextmanager
def told_if_hanging(folder: Path) -> Iterator[None]:
    """Inside, a run of several processes ends with exit code 2 once none of those that work goes on.

    Args:
        folder: The run's, which all processes see.

    Raises:
        JobError: `CLEANGUARD_HANG_SECONDS` is no number from 0; 0 is forever.
    """
    global _here  # noqa: PLW0603 - one run a process
    patience = _patience()
    if world_size() == 1 or not patience or _here is not None:
        yield
        return
    _here = _Watch(folder, patience)
    try:
        yield
    finally:
        _here.end()
        _here = None


def mark(at: int, what: str) -> None:
    """Leave a mark: how far this process is, counted and in words. Nothing in a run of one process."""
    if _here is not None:
        _here.mark(at, what)


@contextmanager
def marked_by_files(folder: Path, names: Sequence[str]) -> Iterator[None]:
    """Inside, a process goes on as long as its files of records grow; outside it waits for the others."""
    if _here is not None:
        _here.mark(1, "its share of the records", names=tuple(names), own=folder)
    yield
    if _here is not None:
        _here.mark(2, "waiting", waits=True)


class _Watch:
    def __init__(self, folder: Path, patience: float) -> None:
        self._folder, self._patience = folder / MARKS, patience
        self._mark = self._written = ""
        self._over = threading.Event()
        self.mark(0, "loading")
        self._thread = threading.Thread(target=self._look, name="hanging", daemon=True)
        self._thread.start()

    def mark(
        self, at: int, what: str, *, waits: bool = False, names: tuple[str, ...] = (),
        own: Path | None = None,
    ) -> None:  # fmt: skip
        # The thread writes it: a step must not wait for a disk.
        state = "waits" if waits else "works"
        self._mark = "\n".join([str(at), what, state, str(own or ""), *names])

    def end(self) -> None:
        self._over.set()
        self._thread.join(timeout=5)
        with suppress(OSError):
            (self._folder / str(rank())).unlink(missing_ok=True)
            self._folder.rmdir()  # by the last one

    def _look(self) -> None:
        seen: dict[int, tuple[tuple[str, ...], int, float]] = {}
        while not self._over.wait(min(2.0, self._patience / 8)):
            self._write()
            now, quiet, works = time.monotonic(), [], 0
            for number in range(world_size()):
                lines = _lines(self._folder / str(number))
                size = _grown(lines)
                if number not in seen or seen[number][:2] != (lines, size):
                    seen[number] = (lines, size, now)
                if not lines or lines[2] == "waits":
                    continue  # not begun or ended, or not the one to wait for
                works += 1
                patience = self._patience * (_BEGINNING if lines[0] == "0" else 1)
                if now - seen[number][2] > patience:
                    quiet.append(number)
            if works and len(quiet) == works:
                self._give_up(quiet, {number: seen[number][0] for number in quiet})

    def _write(self) -> None:
        if (mark := self._mark) != self._written:
            # A folder that is gone or full is told by what writes records there.
            with suppress(OSError):
                self._folder.mkdir(parents=True, exist_ok=True)
                _put(self._folder / str(rank()), mark)
                self._written = mark

    def _give_up(self, quiet: list[int], marks: dict[int, tuple[str, ...]]) -> None:
        behind = min(int(lines[0]) for lines in marks.values())
        stuck = [number for number in quiet if int(marks[number][0]) == behind]
        teller = next((n for n in range(world_size()) if n not in stuck), 0)
        if rank() == teller:
            say(f"cleanguard: {_told(stuck, quiet, marks, self._patience)}", err=True)
        else:
            time.sleep(2)  # the launcher ends all of them as soon as one has ended
        os._exit(2)  # what hangs does not return to raise anything


def _told(
    stuck: Sequence[int], quiet: Sequence[int], marks: dict[int, tuple[str, ...]], patience: float
) -> str:
    names = ", ".join(map(str, stuck))
    where = marks[stuck[0]][1]
    others = [number for number in quiet if number not in stuck]
    if others:
        found = f"process {names} stands at {where} and the others at {marks[others[0]][1]}, so it hangs"
    elif len(stuck) == world_size():
        found = f"all processes stand at {where}, so what they do together hangs"
    else:
        found = f"process {names} stands at {where}, and the others wait for it"
    return (
        f"for {patience:.0f} seconds no process of this run has gone on: {found}. What is written stays, and the "
        f"same command goes on from there; {VARIABLE} sets the seconds, 0 waits forever"
    )


def _patience() -> float:
    told = os.environ.get(VARIABLE)
    try:
        patience = _PATIENCE if told is None else float(told)
    except ValueError:
        patience = -1.0
    if not 0 <= patience < float("inf"):
        raise JobError(f"{VARIABLE}={told!r} is no number of seconds; 0 waits forever")
    return patience


def _put(path: Path, text: str) -> None:
    scratch = path.with_name(f".{path.name}")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)


def _lines(path: Path) -> tuple[str, ...]:
    try:
        return tuple(path.read_text(encoding="utf-8").split("\n"))
    except OSError:
        return ()


def _grown(lines: tuple[str, ...]) -> int:
    """Bytes of the files of records that a process's mark names."""
    if len(lines) < 5:
        return 0
    size = 0
    for name in lines[4:]:
        with suppress(OSError):
            size += (Path(lines[3]) / name).stat().st_size
    return size
