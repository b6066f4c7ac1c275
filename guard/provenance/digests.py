"""sha256 of files and of the tensors in them, remembered while the files stay the same.

A big file is read once: what was found is kept in the user's cache under its path, size, times and
inode. In the hub's cache the large files are named by their sha256 and the small ones by their git
blob id, so the names say what the files must be.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from guard.provenance.record import DigestSource, FileRecord

_CHUNK = 1 << 22
_WORTH_KEEPING = 1 << 23  # bytes; a smaller file is remembered within the process only
_SETTLED_NS = 2_000_000_000  # a file changed more recently may change again within one time stamp
_THREADS = 8

T = TypeVar("T")

_in_process: dict[tuple[str, str], tuple[list[Any], Any]] = {}


def file_record(path: Path) -> FileRecord:
    """Name, size and sha256 of a file, and where the sha256 is from.

    Raises:
        OSError: It cannot be read.
    """
    real = path.resolve() if path.is_symlink() else path
    size = real.stat().st_size
    blob = _blob_name(real)
    if blob is not None and len(blob) == 64:
        return FileRecord(path.name, size, blob, "hub-cache-name")
    found, was_known = remembered(real, "sha256", lambda: sha256_of(real))
    source: DigestSource = "digest-cache" if was_known else "content"
    intact = None if blob is None else git_blob_id(real) == blob
    return FileRecord(path.name, size, str(found), source, intact)


def file_records_of(paths: Iterable[Path]) -> tuple[FileRecord, ...]:
    """Records of several files, in their order; large files are read in parallel."""
    found = list(paths)
    unread = sum(path.stat().st_size for path in found if not _is_known(path))
    return tuple(in_parallel(file_record, found, unread))


def _is_known(path: Path) -> bool:
    """Whether this process has a digest under that path; starting threads for it costs more."""
    return ("sha256", str(path)) in _in_process


def sha256_of(path: Path) -> str:
    """sha256 of a file's content, as hex."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()


def git_blob_id(path: Path) -> str:
    """The id that git gives to a file's content, as hex: what the hub names small files by."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def in_parallel(work: Callable[[Any], T], items: list[Any], size: int) -> list[T]:
    """Results in the order of the items; hashing runs outside the interpreter lock.

    Args:
        work: What is done with each.
        items: What it is done with.
        size: Bytes in all; a few are sooner read than threads are started.
    """
    if len(items) < 2 or size < _WORTH_KEEPING:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(_THREADS, len(items), os.cpu_count() or 1)) as pool:
        return list(pool.map(work, items))


def remembered(path: Path, what: str, measure: Callable[[], Any]) -> tuple[Any, bool]:
    """What was found in a file before, if it is the same file still; otherwise it is measured.

    Args:
        path: The file, links resolved.
        what: The kind of finding; each is kept on its own.
        measure: Finds it anew; JSON types.

    Returns:
        The finding, and whether it was known.
    """
    before = path.stat()
    identity = _identity(path, before)
    kept = _in_process.get((what, str(path)))
    if kept is not None and kept[0] == identity:
        return kept[1], True
    small = before.st_size < _WORTH_KEEPING
    entry = cache_folder() / f"{hashlib.sha256(f'{what}|{path}'.encode()).hexdigest()}.json"
    known = None if small else _read(entry, identity)
    found = measure() if known is None else known
    settled = time.time_ns() - max(before.st_mtime_ns, before.st_ctime_ns) > _SETTLED_NS
    if settled and _identity(path, path.stat()) == identity:
        _in_process[what, str(path)] = (identity, found)
        if known is None and not small:
            _keep(entry, {"file": identity, "found": found})
    return found, known is not None


def cache_folder() -> Path:
    """Where findings are kept: `CLEANGUARD_CACHE_DIR`, or the user's cache folder."""
    named = os.environ.get("CLEANGUARD_CACHE_DIR")
    base = Path(named) if named else _user_cache() / "cleanguard"
    return base / "digests"


def _user_cache() -> Path:
    named = os.environ.get("XDG_CACHE_HOME")
    return Path(named) if named else Path("~/.cache").expanduser()


def _identity(path: Path, found: os.stat_result) -> list[Any]:
    # The change time as well: it moves when someone puts an old modification time back.
    return [
        str(path),
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_ino,
        found.st_dev,
    ]


def _read(entry: Path, identity: list[Any]) -> Any:
    """What an entry says of a file of this identity; None if it says nothing."""
    with suppress(OSError, ValueError, RecursionError, KeyError, TypeError):
        kept = json.loads(entry.read_text(encoding="utf-8"))
        if kept["file"] == identity:
            return kept["found"]
    return None


def _keep(entry: Path, content: dict[str, Any]) -> None:
    """Write an entry in one step; a cache that cannot be written is done without."""
    with suppress(OSError):
        entry.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=entry.parent, suffix=".new")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file)
            Path(name).replace(entry)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise


def _blob_name(real: Path) -> str | None:
    """The name of a blob in the hub's cache: 64 hex digits for large files, 40 for small ones."""
    in_cache = real.parent.name == "blobs" and real.parent.parent.name.startswith("models--")
    is_hex = len(real.name) in (40, 64) and not set(real.name) - set("0123456789abcdef")
    return real.name if in_cache and is_hex else None
