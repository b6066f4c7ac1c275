"""Worker processes that may die or hang: a job that kills its worker costs that job only."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkContext, SpawnContext
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, TypeVar

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

    def run(self, jobs: Sequence[T], limit: float | None, done: Callable[[T, Any], None]) -> None:
        """Does all jobs, in any order.

        Args:
            jobs: What is sent to a worker, one at a time.
            limit: Seconds that a job may take.
            done: Called with each job and its outcome, or `Lost`.
        """
        waiting = deque(jobs)
        while waiting or any(worker.job is not None for worker in self._workers):
            self._hand_out(waiting, limit)
            busy = [worker for worker in self._workers if worker.job is not None]
            ready = set(wait([w.connection for w in busy], self._patience(busy, limit)))
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
                done(job, outcome)

    def restart(self) -> None:
        """Ends the workers that have nothing to do; new ones start when needed."""
        for worker in [worker for worker in self._workers if worker.job is None]:
            self._discard(worker)

    def _hand_out(self, waiting: deque[T], limit: float | None) -> None:
        idle = [worker for worker in self._workers if worker.job is None]
        while waiting and (idle or len(self._workers) < self._size):
            worker = idle.pop() if idle else self._start()
            worker.job = waiting.popleft()
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
        worker: _Worker = _Worker(process, ours)
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
