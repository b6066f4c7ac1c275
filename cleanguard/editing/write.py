"""Writes a rewritten file whole or not at all."""

from __future__ import annotations

import os
import re
import stat
import tempfile
import time
import zlib
from contextlib import suppress
from pathlib import Path

from cleanguard.editing.read import read_file

_SUFFIX = ".cleanguard-tmp"
# Bytes of a file's name in that of its temporary file; systems take names of 255.
_LONGEST_NAME = 180
# Writing one script takes milliseconds.
_ABANDONED_SECONDS = 5.0


class WriteError(Exception):
    """The file was not written and is as it was; the message names it and the reason."""


def replace_file(
    path: Path, before: bytes, after: bytes, roots: tuple[Path, ...], name: str | None = None
) -> None:
    """Puts new bytes in a file's place: temporary file beside it, fsync, rename, fsync of the folder.

    Args:
        path: The file; a symbolic link is followed.
        before: The bytes that the plan was made from.
        after: The bytes to write.
        roots: Folders that a followed link must stay in.
        name: What messages call it; its path if None.

    Raises:
        WriteError: The file changed meanwhile, a link leads out of the tree, or the system refused.
    """
    target = path.resolve()
    name = name or str(path)
    if path.is_symlink() and not any(target.is_relative_to(root.resolve()) for root in roots):
        raise WriteError(
            f"{name}: a symbolic link out of the tree, to {target}; name that file itself"
        )
    try:
        found = target.stat()
        mode = stat.S_IMODE(found.st_mode)
        # To root nothing is read-only; whoever took the bits away meant it all the same.
        if not mode & 0o222 or not os.access(target, os.W_OK):
            raise WriteError(
                f"{name}: the file is read-only; make it writable and run again, or exclude it"
            )
        if read_file(target) != before:
            raise WriteError(f"{name}: the file changed meanwhile; run again")
        _write(target, after, mode, found)
    except OSError as error:
        raise WriteError(f"{name}: {_reason(error, target)}") from error


def _reason(error: OSError, target: Path) -> str:
    """Why the system did not let a file be replaced: that takes a new one in its folder."""
    if isinstance(error, PermissionError) and not os.access(target.parent, os.W_OK):
        return "its folder is read-only; make it writable and run again, or exclude the file"
    return error.strerror or str(error)


def put_file(path: Path, content: bytes) -> None:
    """Writes a file of our own, in the place of an earlier one if there is one: whole, or not at all.

    Raises:
        WriteError: The system refused.
    """
    target = path.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not target.is_file():  # /dev/stdout, a pipe
            target.write_bytes(content)
            return
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask()
        _write(target, content, mode)
    except OSError as error:
        raise WriteError(f"{path}: {error.strerror or error}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def clear_leftovers(folder: Path) -> None:
    """Takes away what a killed run left in a folder: its process is gone, or its file is old."""
    for path in folder.glob(f".*{_SUFFIX}"):
        with suppress(OSError):
            old = time.time() - path.stat().st_mtime > _ABANDONED_SECONDS
            if old or _is_orphan(path.name):
                path.unlink()


def _is_orphan(name: str) -> bool:
    """Whether the process that a temporary file is named after ran on this machine and is gone."""
    found = re.search(r"\.(\d+)@([0-9a-f]+)\.[^.]*\.cleanguard-tmp$", name)
    if found is None or os.name != "posix" or found[2] != _host():
        return False
    try:
        os.kill(int(found[1]), 0)  # asks, and sends nothing
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _host() -> str:
    return f"{zlib.crc32(os.uname().nodename.encode()):x}" if os.name == "posix" else "0"


def _write(target: Path, after: bytes, mode: int, before: os.stat_result | None = None) -> None:
    kept = os.fsdecode(os.fsencode(target.name)[:_LONGEST_NAME])
    prefix = f".{kept}.{os.getpid()}@{_host()}."
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=_SUFFIX, dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(after)
            stream.flush()
            os.fsync(stream.fileno())
        if before is not None:
            _give_to_owner(temporary, before)
        temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _give_to_owner(temporary: Path, before: os.stat_result) -> None:
    """A file that root rewrites stays its owner's; others may give nothing away."""
    made = temporary.stat()
    if os.name == "posix" and (made.st_uid, made.st_gid) != (before.st_uid, before.st_gid):
        with suppress(PermissionError):
            os.chown(temporary, before.st_uid, before.st_gid)
