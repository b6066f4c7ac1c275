"""Worker processes that may die or hang: a job that kills its worker costs that job only."""

from __future__ import annotations

import multiprocessing
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkContext, SpawnContext
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lost:
    """A job without an outcome.

    Attributes:
        signal: What killed its worker, None if it took too long.
    """

    signal: int | None


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection
    job: Any = None
    deadline: float = 0.0
    lane: int = 0


@dataclass(frozen=True, slots=True)
class Family(Generic[T]):
    """Jobs that share work when one process does them.

    Attributes:
        jobs: In order.
        cost: What they take together, in any unit that all families have.
    """

    jobs: Sequence[T]
    cost: int


class _Lanes(Generic[T]):
    """Families of jobs, shared out among the processes; who is done early helps the one with most left."""

    def __init__(self, families: Sequence[Family[T]], number: int) -> None:
        lanes: list[list[T]] = [[] for _ in range(number)]
        loads = [0] * number
        for family in sorted(families, key=lambda family: -family.cost):
            lane = loads.index(min(loads))
            lanes[lane] += family.jobs
            loads[lane] += family.cost
        self._lanes = [deque(lane) for lane in lanes]

    def __bool__(self) -> bool:
        return any(self._lanes)

    def take(self, lane: int) -> T:
        """The next job of a lane, or the last one of the longest."""
        if self._lanes[lane]:
            return self._lanes[lane].popleft()
        return max(self._lanes, key=len).pop()


class Pool:
    """Up to `size` processes, started when there is something to do.

    Args:
        size: How many.
        target: What runs in each: a function of a connection and `arguments`.
        arguments: What each is given at its start.
    """

    def __init__(self, size: int, target: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        # Forking is fast and inherits the file list; elsewhere than on Linux it is not safe.
        self._context: ForkContext | SpawnContext = (
            multiprocessing.get_context("fork")
            if sys.platform == "linux"
            else multiprocessing.get_context("spawn")
        )
        self._size = size
        self._target = target
        self._arguments = arguments
        self._workers: list[_Worker] = []
        self._loading: threading.Thread | None = None

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            self._end(worker)

    def run(
        self,
        families: Sequence[Family[T]],
        limit: float | None,
        done: Callable[[T, Any], None],
    ) -> None:
        """Does all jobs, those of a family in the same process where it can be.

        Args:
            families: What is sent to a worker, one job at a time.
            limit: Seconds that a job may take.
            done: Called with each job and its outcome, or `Lost`.
        """
        waiting = _Lanes(families, self._size)
        while waiting or any(worker.job is not None for worker in self._workers):
            self._hand_out(waiting, limit)
            busy = [worker for worker in self._workers if worker.job is not None]
            ready = set(wait([w.connection for w in busy], self._patience(busy, limit)))
            outcomes: list[tuple[T, Any]] = []
            for worker in busy:
                job = worker.job
                if worker.connection in ready:
                    try:
                        outcome = worker.connection.recv()
                        worker.job = None
                    except (EOFError, ConnectionResetError):
                        outcome = Lost(self._signal_of(worker))
                elif limit is not None and time.monotonic() > worker.deadline:
                    self._discard(worker)
                    outcome = Lost(None)
                else:
                    continue
                outcomes.append((job, outcome))
            self._hand_out(waiting, limit)  # first, so that no worker waits for what is done here
            for job, outcome in outcomes:
                done(job, outcome)

    def prepare(self, load: Callable[[], None]) -> None:
        """Loads in this process, while the workers are busy, what later ones may inherit."""
        if isinstance(self._context, ForkContext) and self._loading is None:
            self._loading = threading.Thread(target=load)
            self._loading.start()

    def renew(self) -> None:
        """Replaces the workers by such as inherit what was prepared, if anything was."""
        if self._loading is not None:
            self._loading.join()  # nothing else may run while a process forks
            self.restart()

    def restart(self) -> None:
        """Ends the workers that have nothing to do; new ones start when needed."""
        for worker in [worker for worker in self._workers if worker.job is None]:
            self._discard(worker)

    def _hand_out(self, waiting: _Lanes[T], limit: float | None) -> None:
        idle = [worker for worker in self._workers if worker.job is None]
        while waiting and (idle or len(self._workers) < self._size):
            worker = idle.pop() if idle else self._start()
            worker.job = waiting.take(worker.lane)
            worker.deadline = time.monotonic() + (limit or 0)
            with suppress(
                BrokenPipeError, ConnectionResetError
            ):  # reading the answer says how it died
                worker.connection.send(worker.job)

    def _patience(self, busy: Sequence[_Worker], limit: float | None) -> float | None:
        if limit is None:
            return None
        return max(0.0, min(worker.deadline for worker in busy) - time.monotonic()) + 0.01

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=self._target, args=(theirs, *self._arguments), daemon=True
        )
        process.start()
        theirs.close()
        taken = {worker.lane for worker in self._workers}
        lane = next(lane for lane in range(self._size) if lane not in taken)
        worker = _Worker(process, ours, lane=lane)
        self._workers.append(worker)
        return worker

    def _signal_of(self, worker: _Worker) -> int:
        worker.process.join(1)
        code = worker.process.exitcode or 0
        self._discard(worker)
        return -code

    def _discard(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        self._end(worker)

    def _end(self, worker: _Worker) -> None:
        worker.process.kill()
        worker.process.join()
        worker.connection.close()
