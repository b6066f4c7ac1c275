"""A run's folder: one run at a time, one configuration, and files that are written in one step."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cleanguard.errors import JobError
from cleanguard.report.hidden import as_document, hidden_by_line
from cleanguard.secrets.redaction import redact_value
from guard.errors import GuardError
from stages.config import as_plain, as_toml
from stages.processes.hanging import MARKS, told_if_hanging
from stages.processes.ranks import rank

CONFIG_FILE = "config.json"
MANIFEST = "manifest.json"
_LOCK = ".lock"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_ROOM = 4 << 20


@contextmanager
def run_folder(path: Path, stage: str, config: Any) -> Iterator[Path]:
    """Hold a run's folder: made if it is not there, locked, bound to this configuration.

    Args:
        path: The folder.
        stage: The stage's name.
        config: Its configuration; a folder that was begun with another one is refused.

    Raises:
        JobError: Another run has it, it belongs to another run, or it cannot be written.
    """
    if rank():
        with told_if_hanging(path):
            yield path  # process 0 holds the folder for all of them
        return
    handle = _opened(path)
    try:
        _lock(handle, path)
        _bind(path, stage, config)
        with told_if_hanging(path):
            yield path
    except (GuardError, JobError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FORBIDDEN:
            raise JobError(
                f"{error.filename or path}: {(error.strerror or '').lower()}; make it readable and "
                f"{path} writable, or name another folder with --out"
            ) from error
        # What writes weights says "unexpected pos" or the like of its own, so the disk is asked.
        if not (isinstance(error, OSError) and error.errno in _FULL) and not _is_full(path):
            raise
        raise JobError(
            f"{path}: the disk is full; free some space and run again, it goes on from here"
        ) from error
    finally:
        os.close(handle)


def refuse_unusable(path: Path) -> None:
    """Make a run's folder, so that a wrong name is told before torch is imported.

    Raises:
        JobError: It cannot be made, or not be written to.
    """
    os.close(_opened(path))


def _opened(path: Path) -> int:
    try:
        path.mkdir(parents=True, exist_ok=True)
        return os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise JobError(f"{path}: cannot be used as a run's folder: {error.strerror}") from None


def _is_full(path: Path) -> bool:
    """Whether a few megabytes more have no room in a folder."""
    try:
        with tempfile.TemporaryFile(dir=path) as probe:
            probe.write(bytes(_ROOM))
            probe.flush()
    except OSError as error:
        return error.errno in _FULL
    return False


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file in one step: a crash leaves the old one or the new one."""
    write_text(path, as_document(content))


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step; a lone surrogate, which no file can hold, is spelt out."""
    scratch = path.with_name(f".{path.name}.new")
    with scratch.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def file_entry(path: Path) -> dict[str, Any]:
    """What a manifest says of a file: its size, lines and sha256."""
    data = path.read_bytes()
    return {
        "bytes": len(data),
        "lines": data.count(b"\n"),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def _lock(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.pread(handle, 20, 0).decode(errors="replace").strip()
        who = f" (process {owner})" if owner else ""
        raise JobError(
            f"{path}: another run{who} works in this folder; wait for it, or name another with --out"
        ) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)


def _bind(path: Path, stage: str, config: Any) -> None:
    """Keep the configuration beside the results, or compare it with the one that is there."""
    now = redact_value({"stage": stage, "config": as_plain(config)}, by_name=False)
    kept = path / CONFIG_FILE
    if not kept.exists() or not _has_results(path):
        write_json(kept, now)
        write_text(path / "config.toml", hidden_by_line(as_toml(config)))
        return
    try:
        before = json.loads(kept.read_text(encoding="utf-8"))
        there = before["stage"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise JobError(f"{kept} is damaged; name another folder with --out") from None
    if there != stage:
        raise JobError(f"{path}: a run of {there} lies here; name another folder with --out")
    # The folder itself may be named from elsewhere, or have moved.
    other = sorted({*_differing(before["config"], now["config"])} - {"out"})
    if other:
        raise JobError(
            f"{path}: begun with another configuration ({', '.join(other)}); "
            "name another folder with --out, or give the settings of its config.toml"
        )


def _has_results(path: Path) -> bool:
    """Whether a run got beyond its configuration; one that was refused at once leaves no more."""
    return any(
        entry.name not in (_LOCK, CONFIG_FILE, "config.toml", MARKS) for entry in path.iterdir()
    )


def _differing(one: Any, two: Any, prefix: str = "") -> Iterator[str]:
    for key in {*one, *two}:
        mine, theirs = one.get(key), two.get(key)
        if isinstance(mine, dict) and isinstance(theirs, dict):
            yield from _differing(mine, theirs, f"{prefix}{key}.")
        elif mine != theirs:
            yield f"{prefix}{key}"
