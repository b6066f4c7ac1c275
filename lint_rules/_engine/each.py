"""Does something with each file of a run in processes that may die, hang or run full: the door for source.

`check` has a run of its own (pipeline), with a cache; both have the same processes and limits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

from cleanguard.catalogue.findings import Position
from cleanguard.files import SourceFile, UnlistedFolderError
from lint_rules._engine import worker
from lint_rules._engine.checking import RuleCrashError
from lint_rules._engine.pool import Family, Lost, Pool
from lint_rules._engine.reported import LIST_IT, io_problem
from lint_rules._run.source import SourceError

T = TypeVar("T")
_START = Position(1, 1)

MEND_IT = "mend it and run again"
# The limits are fixed, so that one file cannot hold up or use up a machine.
SPARE_IT = "exclude it, or split it into smaller files"


@dataclass(frozen=True, slots=True)
class Unread:
    """A file with which it could not be done.

    Attributes:
        name: The path as it was given.
        reason: Why, in words.
        position: Where.
        crashed: It is a fault of ours, and none of the file's.
        remedy: What to do about it.
        whole: It is a folder, which has no lines.
    """

    name: str
    reason: str
    position: Position = _START
    crashed: bool = False
    remedy: str = MEND_IT
    whole: bool = False

    @property
    def line(self) -> str:
        """Where it is, for people: file and line, and in a notebook the cell."""
        if self.whole:
            return self.name
        cell = f"cell {self.position.cell}:" if self.position.cell else ""
        return f"{self.name}:{cell}{self.position.row}"


@dataclass(frozen=True, slots=True)
class _Exhausted:
    """The memory ran out, and the process is spent."""


class Each(Generic[T]):
    """Processes that do one thing with files; use it as a context.

    Args:
        task: What is done with a file, in a process of its own; what it gives is sent back.
        doing: What that is, for messages: "planning".
        jobs: How many processes; as many as there are processors if None.
    """

    def __init__(
        self, task: Callable[[SourceFile], T], doing: str, *, jobs: int | None = None
    ) -> None:
        self._doing = doing
        self._pool = Pool(jobs or worker.processors(), serve, (task, doing))

    def __enter__(self) -> Each[T]:
        return self

    def __exit__(self, *_error: object) -> None:
        self._pool.__exit__(None, None, None)

    def run(
        self, files: Sequence[SourceFile], progress: Callable[[int, int], None] | None = None
    ) -> list[T | Unread]:
        """What the task gives for each file, in their order.

        Args:
            files: One that kills, hangs or bloats its process costs only itself.
            progress: Called with the number of files that are done, and of all.
        """
        found: dict[int, T | Unread] = {}
        lost: list[int] = []
        places = {id(file): index for index, file in enumerate(files)}

        def done(index: int, outcome: T | Unread) -> None:
            found[index] = outcome
            if progress is not None:
                progress(len(found), len(files))

        def take(file: SourceFile, outcome: T | Unread | _Exhausted | Lost) -> None:
            if isinstance(outcome, (Lost, _Exhausted)):
                lost.append(places[id(file)])
            else:
                done(places[id(file)], outcome)

        def take_last(file: SourceFile, outcome: T | Unread | _Exhausted | Lost) -> None:
            if isinstance(outcome, (Lost, _Exhausted)):
                signal = outcome.signal if isinstance(outcome, Lost) else worker.OUT_OF_MEMORY
                told = worker.told(signal, self._doing)
                outcome = Unread(file.name, told, remedy=SPARE_IT)
            done(places[id(file)], outcome)

        self._pool.run([Family((file,), 1) for file in files], worker.WALL_SECONDS, take)
        # Other files may have worn the process out: a second try, alone.
        for index in sorted(lost):
            self._pool.restart()
            self._pool.run([Family((files[index],), 1)], worker.WALL_SECONDS, take_last)
        return [found[index] for index in range(len(files))]


def serve(connection: Connection, task: Callable[[SourceFile], object], doing: str) -> None:
    """Does a task with each file that is sent, until the connection ends."""
    garbage = worker.prepared()
    with suppress(
        OSError
    ):  # what the parser says when it runs out of memory, the parent says better
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while worker.is_wanted(connection):
            connection.send(_limited(task, connection.recv(), doing))
            garbage.collect()


def _limited(task: Callable[[SourceFile], object], file: SourceFile, doing: str) -> object:
    worker.start_clock()
    try:
        return task(file)
    except UnlistedFolderError as error:
        return Unread(file.name, io_problem(error), remedy=LIST_IT, whole=True)
    except OSError as error:
        return Unread(file.name, io_problem(error))
    except SourceError as error:
        return Unread(file.name, str(error), error.position, remedy=error.remedy or MEND_IT)
    except RecursionError:
        return Unread(file.name, "nested too deeply to be followed")
    except MemoryError:
        return _Exhausted()
    except RuleCrashError as crash:
        return Unread(file.name, str(crash), crashed=True)
    except BaseException as error:  # noqa: BLE001 - a panic of the parser is no Exception
        if type(error).__name__ == "PanicException":
            return Unread(file.name, "the parser crashes on it")
        cause = f"{type(error).__name__}: {error}"
        reason = f"{file.name}: {doing} it crashed ({cause}); please report it"
        return Unread(file.name, reason, crashed=True)
    finally:
        worker.start_clock(0)
