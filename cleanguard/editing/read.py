"""Reads a file that somebody else may change or swap meanwhile."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

# Far above any script or notebook, far below what would take this process's memory.
LARGEST = 256 << 20


def read_file(path: Path | str) -> bytes:
    """A regular file's bytes; a pipe or a device, which may wait or go on for ever, is never read.

    Raises:
        OSError: It cannot be read, is no file, or is larger than `LARGEST` bytes.
    """
    _refuse(os.stat(path), path)  # opening some devices does something
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    with os.fdopen(handle, "rb") as stream:
        _refuse(os.fstat(handle), path)
        raw = stream.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise OSError(errno.EFBIG, f"larger than {LARGEST >> 20} MB", str(path))
    return raw


def regular(path: Path) -> Path:
    """A path whose file may be opened: no pipe or device, which may wait or go on for ever.

    Raises:
        OSError: There is no such file, or it is a pipe or a device.
    """
    if not path.is_dir():  # what follows says that in the system's words
        _refuse(path.stat(), path)
    return path


def _refuse(found: os.stat_result, path: Path | str) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "a pipe or a device and no file", str(path))
