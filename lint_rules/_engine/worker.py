"""What happens in a worker process: its limits, and the two kinds of jobs that it does."""

from __future__ import annotations

import faulthandler
import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from lint_rules._engine.checking import RuleCrashError, check_source
from lint_rules._engine.content import digest_of, stamp_after, stamp_before
from lint_rules._engine.gate import needs_check
from lint_rules._engine.reported import io_problem, unreadable
from lint_rules._engine.wire import Plain, to_plain
from lint_rules._run.others import OtherFiles

MEMORY = 1 << 30
# Of processor time for each module, so that a busy machine makes no file look like one that hangs.
SECONDS = 10.0
# A file that waits for something for ever uses no processor time; this is for such a one.
WALL_SECONDS = 120.0
# How often a worker without a job looks whether it is an orphan, in seconds.
_PATIENCE = 5
# How the parser, which is not Python, ends when there is none left.
OUT_OF_MEMORY = signal.SIGABRT
_GROWTH = 384 << 20
# Python compiles expressions about 3,000 operators deep; walking them takes some ten calls for each.
_DEPTH = 40_000
_STACK = 100 << 20
# Cheap questions, a check that follows imports to other files, one that does not.
Kind = Literal["gate", "full", "alone"]


@dataclass(frozen=True, slots=True)
class Gated:
    """What the gate says about a file.

    Attributes:
        digest: Of its content; None where it could not be read.
        needs_check: It must be checked in full.
        problem: Why it could not be read.
        stamp: Of the file when it was read, for the cache.
    """

    digest: str | None
    needs_check: bool = False
    problem: str | None = None
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of a full check.

    Attributes:
        findings: In the order of the engine.
        uses: Real paths of the other files that they rest on.
        failure: A rule that crashed.
        exhausted: The memory ran out, and the process is spent.
    """

    findings: tuple[Plain, ...] = ()
    uses: frozenset[str] = frozenset()
    failure: str | None = None
    exhausted: bool = False


def prepare() -> None:
    """Loads what a full check takes, so that forked processes need not."""
    import lint_rules._run.project
    import lint_rules.registry  # noqa: F401


def gate(file: SourceFile) -> Gated:
    """Reads a file and asks the cheap questions."""
    stamp = stamp_before(file)
    try:
        raw = file.read()
    except OSError as error:
        return Gated(None, problem=io_problem(error))
    needed = needs_check(raw, file.name)
    return Gated(digest_of(raw, file.place), needed, stamp=stamp_after(stamp, raw))


def check(file: SourceFile, settings: Settings, others: OtherFiles | None) -> Checked:
    """Checks a file in full."""
    try:
        raw = file.read()
        # Who makes fixes checks the files that have some again, with their edits.
        found = check_source(file.name, raw, settings, others, file.path, edits=False)
    except OSError as error:
        found = unreadable(file.name, io_problem(error), settings.at(file.path))
        return Checked(tuple(map(to_plain, found)))
    except RuleCrashError as crash:
        return Checked(failure=str(crash))
    except MemoryError:
        return Checked(exhausted=True)
    except BaseException as error:  # noqa: BLE001 - a panic of the parser is no Exception
        if type(error).__name__ == "PanicException":
            found = unreadable(file.name, "the parser crashes on it", settings.at(file.path))
            return Checked(tuple(map(to_plain, found)))
        cause = f"{type(error).__name__}: {error}"
        return Checked(failure=f"{file.name}: checking it crashed ({cause}); please report it")
    uses = frozenset[str]() if others is None else others.uses(file.path)
    return Checked(tuple(map(to_plain, found)), uses)


def serve(connection: Connection, files: Sequence[SourceFile], settings: Settings) -> None:
    """Does jobs until the connection ends: `(kind, indices)` in, a list of outcomes out."""
    garbage = prepared()
    others = OtherFiles(files, settings, start_clock) if len(files) > 1 else None
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while is_wanted(connection):
            kind, indices = connection.recv()
            if kind == "gate":
                connection.send([gate(files[index]) for index in indices])
            else:
                seen = None if kind == "alone" else others
                connection.send([_limited(files[index], settings, seen) for index in indices])
                garbage.collect()


def prepared() -> _Garbage:
    """Sets the limits of this process; gives what collects its garbage."""
    if sys.platform != "win32":
        signal.signal(signal.SIGPROF, signal.SIG_DFL)  # which ends the process
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends us
    faulthandler.disable()  # a crash is an answer here, and the parent gives it
    _limit_memory()
    _allow_depth()
    return _Garbage()


def is_wanted(connection: Connection) -> bool:
    """Waits for a job; False for an orphan: forked siblings may hold its other end open for ever."""
    started = multiprocessing.parent_process()
    parent = os.getppid() if started is None else started.pid  # it may have died during a job
    while not connection.poll(_PATIENCE):
        if os.getppid() != parent:
            return False
    return True


def told(ending: int | None, doing: str) -> str:
    """Why a process ended, in words.

    Args:
        ending: The signal that ended it, None if it took too long.
        doing: What it was doing with a file.
    """
    if ending in (None, signal.SIGPROF):
        return f"{doing} it takes longer than {SECONDS:.0f} s"
    if ending == OUT_OF_MEMORY:
        return f"{doing} it takes more than {MEMORY >> 30} GB"
    return f"the parser crashes on it (signal {ending})"


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Garbage:
    """Collects garbage when the process has grown, and not by the number of objects.

    Trees are many objects and seldom garbage: looking for it took an eighth of a check.
    """

    def __init__(self) -> None:
        self._limit = _size() + _GROWTH
        if _size():
            gc.disable()
        else:  # a system that does not tell
            gc.set_threshold(200_000, 50, 100)

    def collect(self) -> None:
        """Call this between two files."""
        if not gc.isenabled() and _size() > self._limit:
            gc.collect()
            self._limit = _size() + _GROWTH


def _limited(file: SourceFile, settings: Settings, others: OtherFiles | None) -> Checked:
    """A check that the system ends, wherever it hangs."""
    start_clock()
    try:
        return check(file, settings, others)
    finally:
        start_clock(0)


def start_clock(seconds: float | None = None) -> None:
    """Gives a file, or one that it imports, its time; 0 stops the clock."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, SECONDS if seconds is None else seconds)


def _size() -> int:
    """Bytes of address space in use; 0 where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _allow_depth() -> None:
    """Lets the walk go as deep as what Python itself can compile; beyond that, a crash costs one file."""
    sys.setrecursionlimit(_DEPTH)
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    wanted = _STACK if hard == resource.RLIM_INFINITY else min(_STACK, hard)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_STACK, (wanted, hard))


def _limit_memory() -> None:
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    # On top of what a fork inherits: a parent that has loaded torch is larger than the limit itself.
    allowed = _size() + MEMORY
    wanted = allowed if hard == resource.RLIM_INFINITY else min(allowed, hard)
    with suppress(ValueError, OSError):  # systems that know no such limit
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
