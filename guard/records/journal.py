"""A file of lines that only grows: locked, never torn, made durable in batches.

A line that was written outlives its process; once it was made durable, it outlives a power cut. What a
full disk, a signal or a kill leaves is whole lines; half a line at the end is cut off when the file is
opened again.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from cleanguard.report.counting import counted
from guard.errors import RecordsBusyError, RecordsError

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Line:
    """A line, newline included, with the key and the digest of its record."""

    data: bytes
    key: str
    mark: str


@dataclass(frozen=True, slots=True)
class _State:
    """What is in the file and what waits; replaced as a whole, so a signal never finds half of it.

    Attributes:
        size: Bytes of whole lines in the file.
        count: How many lines these are.
        mark: Digest of the last of them; None for an empty file.
        waiting: Lines that are not in the file yet.
    """

    size: int
    count: int
    mark: str | None
    waiting: tuple[Line, ...]


class Journal:
    """An open file of lines; one writer at a time, on one machine or any that share its locks.

    Args:
        path: The file; it is made if it is not there.

    Raises:
        RecordsBusyError: Another run has it open.
        RecordsError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise RecordsError(
                f"{path} cannot be opened: {error.strerror}",
                remedy="name a file in a folder that exists and that you may write to",
            ) from error
        if not stat.S_ISREG(os.fstat(self._handle).st_mode):
            os.close(self._handle)
            raise RecordsError(
                f"{path} is no regular file",
                remedy="name one: records are read back, hashed and resumed",
            )
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._handle)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise RecordsError(
                    f"{path} cannot be locked: {error.strerror}",
                    remedy="write to a file system that has locks, and copy the file afterwards",
                ) from error
            raise RecordsBusyError(
                f"another run is writing {path}", remedy="wait for it, or name another file"
            ) from error
        self._owner = os.getpid()
        self._state = _State(os.fstat(self._handle).st_size, 0, None, ())
        self._hash = hashlib.sha256()
        self._hashed = 0

    @property
    def size(self) -> int:
        """Bytes of whole lines in the file."""
        return self._state.size

    @property
    def count(self) -> int:
        """Whole lines in the file."""
        return self._state.count

    @property
    def waiting(self) -> tuple[Line, ...]:
        """Lines that are not in the file yet."""
        return self._state.waiting

    @property
    def settled_mark(self) -> str | None:
        """Digest of the last record in the file."""
        return self._state.mark

    @property
    def mark(self) -> str | None:
        """Digest of the last record, in the file or waiting."""
        state = self._state
        return state.waiting[-1].mark if state.waiting else state.mark

    @property
    def ours(self) -> bool:
        """False in a process that was forked from the one that opened it."""
        return os.getpid() == self._owner

    def refuse_other_process(self) -> None:
        """Raise RecordsError in a forked process, where what is written would be lost."""
        if not self.ours:
            raise RecordsError(
                f"this writer of {self.path} belongs to another process (pid {self._owner}): it was "
                "open when this one was forked",
                remedy="open a writer of its own here, on another file; guard.records.merging puts the "
                "files together",
            )

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """The file's lines with the offsets where they begin; the last may lack its newline."""
        with self.path.open("rb") as file:
            at = 0
            for line in file:
                yield at, line
                at += len(line)

    def adopt(self, size: int, count: int, mark: str | None) -> None:
        """Take over what was found: `count` whole lines in `size` bytes; what follows is dropped."""
        if os.fstat(self._handle).st_size > size:
            os.ftruncate(self._handle, size)
            os.fsync(self._handle)
        self._state = _State(size, count, mark, ())

    def append(self, line: Line) -> None:
        """Put a line among those that wait."""
        self._state = replace(self._state, waiting=(*self._state.waiting, line))

    def write(self, *, durable: bool = True) -> None:
        """Write the lines that wait.

        Args:
            durable: Wait until the disk has them, and all before them.

        Raises:
            RecordsError: The disk is full or failed. Whole lines that were written stay, the others
                wait on: free some space and write again. Or the file is no longer where it was, or
                this process was forked from the one that opened it.
        """
        self.refuse_other_process()
        self._settle()
        data = memoryview(b"".join(line.data for line in self._state.waiting))
        try:
            written = 0
            while written < len(data):
                written += os.write(self._handle, data[written:])
            if durable:
                os.fsync(self._handle)
        except OSError as error:
            self._settle()
            raise RecordsError(
                f"{self.path} cannot be written: {error.strerror}; what is in it stays whole, with "
                f"{counted(len(self.waiting), 'record')} waiting in memory",
                evidence={"errno": error.errno, "waiting": len(self.waiting)},
                remedy="free some space and call flush() again, or run again later: it resumes",
            ) from error
        except BaseException:
            self._settle()
            raise
        self._settle()
        if durable:
            self.refuse_another_file()

    def refuse_another_file(self) -> None:
        """Raise RecordsError if the path no longer leads to the file that is written here."""
        mine = os.fstat(self._handle)
        try:
            there = os.stat(self.path)  # noqa: PTH116 - beside fstat
        except OSError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino):
            happened = "is gone" if there is None else "was replaced by another file"
            raise RecordsError(
                f"{self.path} {happened} while it was written: {counted(self.count, 'record')} went into a file "
                "that this path no longer leads to",
                evidence={"records": self.count},
                remedy="look whether it was renamed; what is lost is made again by running again",
            )

    def sha256(self) -> str:
        """sha256 of the file's whole lines, as hex; only what is new is read."""
        return self.sha256_of_first(self.size)

    def sha256_of_first(self, size: int) -> str:
        """sha256 of the first `size` bytes, as hex; `size` must not shrink from call to call."""
        while self._hashed < size:
            piece = os.pread(self._handle, min(_CHUNK, size - self._hashed), self._hashed)
            if not piece:
                break
            self._hash.update(piece)
            self._hashed += len(piece)
        return self._hash.copy().hexdigest()

    def close(self) -> None:
        """Give the file free."""
        os.close(self._handle)

    def _settle(self) -> None:
        """Compare the file with what should be in it: whole lines count, a part of one is cut."""
        state = self._state
        size, mark, done = state.size, state.mark, 0
        beyond = os.fstat(self._handle).st_size - size
        for line in state.waiting:
            if len(line.data) > beyond:
                break
            beyond -= len(line.data)
            size, mark, done = size + len(line.data), line.mark, done + 1
        if beyond > 0:
            os.ftruncate(self._handle, size)
        self._state = _State(size, state.count + done, mark, state.waiting[done:])
