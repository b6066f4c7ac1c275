"""What earlier runs found, by the content of the files: a run over unchanged files reads and compares.

One file for each folder and configuration, in the user's cache folder, or where
`CLEANGUARD_CACHE_DIR` says. An entry counts only if nothing that it rests on has changed: the file, the
tool's own sources, the configuration, the interpreter, the versions of the libraries that rules look
up, the names of the files of the run and the content of those that were followed. A file whose
times, size and place are those of its entry is not read again, as git does not read it either.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanguard.settings.config import Settings
from cleanguard.version import VERSION

_HOME = Path(__file__).resolve().parents[1]
_SOURCES = ("cleanguard", "lint_rules")
_LIBRARIES = ("libcst-", "transformers-", "peft-", "trl-", "bitsandbytes-")
_KEPT_DAYS = 30
# A file that was written so shortly before it was read may be written again at the same time, as
# coarsely as some systems tell it.
_SETTLED_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """What was found in one file.

    Attributes:
        digest: Of its content.
        findings: As plain lists.
        run: Digest of the names of the files of the run; empty where they cannot matter.
        uses: Content digests of the files that were followed from it, by path.
        stamp: Of the file when it was read, see `stamp_of`.
    """

    digest: str
    findings: tuple[Any, ...] = ()
    run: str = ""
    uses: Mapping[str, str] | None = None
    stamp: str = ""


class Cache:
    """The entries of one folder and configuration.

    Args:
        file: Where they are kept.
        tool: Digest of what made them; entries of another tool do not count.
    """

    def __init__(self, file: Path, tool: str) -> None:
        self._file = file
        self._tool = tool
        self._entries: dict[str, list[Any]] = {}
        # What is followed from one file is followed from many: each is kept, and compared, once.
        self._uses: list[dict[str, str]] = []
        self._numbers: dict[int, int] = {}
        self._compared: dict[int, bool] = {}
        self._changed = False
        with suppress(OSError, ValueError, TypeError, RecursionError):
            head, _, body = _read_regular(file).partition(b"\n")
            if head == _head(tool, body):
                entries, uses = json.loads(body)
                if isinstance(entries, dict) and isinstance(uses, list):
                    self._uses = uses
                    self._entries = {
                        path: entry for path, entry in entries.items() if self._is_entry(entry)
                    }

    def __bool__(self) -> bool:
        """Whether there is any entry."""
        return bool(self._entries)

    def get(self, path: str, digest: str, run: str, digests: Mapping[str, str]) -> Entry | None:
        """The entry of a file, None if there is none that still counts.

        Args:
            path: The file's absolute path.
            digest: Of its content now.
            run: Of the names of the files of this run.
            digests: Content digests of the files of this run.
        """
        found = self._entries.get(path)
        if found is None or found[0] != digest:
            return None
        if len(found) == 2:
            return Entry(digest)
        _, stamp, findings, made_in, number = found
        if made_in and made_in != run:
            return None
        if number not in self._compared:  # in one run, the digests are always the same
            uses = self._uses[number]
            self._compared[number] = all(digests.get(used) == uses[used] for used in uses)
        if not self._compared[number]:
            return None
        return Entry(digest, tuple(findings), made_in, self._uses[number], stamp)

    def digest(self, path: str, stamp: str) -> str | None:
        """The digest of a file that is as it was when it was read; None where that is not known."""
        found = self._entries.get(path)
        if not stamp or found is None or found[1] != stamp:
            return None
        return str(found[0])

    def restamp(self, path: str, digest: str, stamp: str) -> None:
        """Keeps the stamp of a file that was read and has the content of its entry."""
        found = self._entries.get(path)
        if stamp and found is not None and found[0] == digest:
            found[1] = stamp
            self._changed = True

    def put(self, path: str, entry: Entry) -> None:
        """Keep an entry."""
        plain: list[Any] = [entry.digest, entry.stamp]
        if entry.findings or entry.run:
            plain += [
                list(entry.findings),
                entry.run,
                self._number({} if entry.uses is None else entry.uses),
            ]
        self._entries[path] = plain
        self._changed = True

    def _number(self, uses: Mapping[str, str]) -> int:
        """Where they are kept; a mapping that is given again must be the same object to be the same."""
        number = self._numbers.get(id(uses))
        if number is None or self._uses[number] is not uses:
            number = len(self._uses)
            self._uses.append(uses if isinstance(uses, dict) else dict(uses))
            self._numbers[id(self._uses[number])] = number
        return number

    def _is_entry(self, entry: object) -> bool:
        """Whether it has the shape of one; what its findings are is seen when they are made."""
        if not isinstance(entry, list) or len(entry) not in (2, 5):
            return False
        if not isinstance(entry[0], str) or not isinstance(entry[1], str):
            return False
        return len(entry) == 2 or (
            type(entry[4]) is int
            and 0 <= entry[4] < len(self._uses)
            and isinstance(self._uses[entry[4]], dict)
        )

    def _kept_uses(self) -> list[dict[str, str]]:
        """Those that an entry still names, numbered anew in the entries."""
        numbers: dict[int, int] = {}
        kept: list[dict[str, str]] = []
        for entry in self._entries.values():
            if len(entry) == 2:
                continue
            number = entry[4]
            if number not in numbers:
                numbers[number] = len(kept)
                kept.append(self._uses[number])
            entry[4] = numbers[number]
        self._uses, self._numbers = kept, {}
        return kept

    def save(self) -> None:
        """Write what is new; a cache that cannot be written is none, and no reason to fail."""
        if not self._changed:
            return
        import tempfile

        uses = self._kept_uses()
        text = json.dumps([self._entries, uses], separators=(",", ":"))
        body = text.encode("utf-8", "surrogatepass")
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._file.parent, suffix=".tmp")
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(_head(self._tool, body) + b"\n" + body)
                os.replace(name, self._file)
            except BaseException:
                os.unlink(name)
                raise
            _prune(self._file.parent)


def stamp_of(path: str | Path) -> str:
    """What tells a file from what it was: its times, size, number and device; empty where that cannot be told.

    Only the system sets the time of the last change of a file, its name and its times (`st_ctime`), so a
    write that puts the times back is seen.
    """
    if sys.platform == "win32":  # `st_ctime` is another time there
        return ""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ""
    latest = max(found.st_mtime_ns, found.st_ctime_ns)
    if not stat.S_ISREG(found.st_mode) or latest > time.time_ns() - _SETTLED_NS:
        return ""
    return f"{found.st_mtime_ns:x}.{found.st_ctime_ns:x}.{found.st_size:x}.{found.st_ino:x}.{found.st_dev:x}"


def _head(tool: str, body: bytes) -> bytes:
    """The first line of a cache: whoever changes, cuts or swaps what follows makes it count as empty."""
    return f"{tool} {_digest([body])}".encode()


def _read_regular(file: Path) -> bytes:
    """A file's content; raises OSError for what is no regular file, without waiting for it."""
    handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{file} is no regular file")
        return stream.read()


def open_cache(settings: Settings) -> Cache:
    """The cache for a configuration and its root folder."""
    root = os.path.abspath(settings.root)
    name = _digest([root.encode(), repr(settings).encode()])
    return Cache(folder() / f"{name}.json", _tool())


def folder() -> Path:
    """Where caches are kept."""
    given = os.environ.get("CLEANGUARD_CACHE_DIR")
    if given:
        return Path(given)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "cleanguard"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cleanguard"


def run_digest(paths: Iterable[str]) -> str:
    """The digest of the names of the files of a run."""
    return _digest(os.fsencode(path) for path in sorted(paths))


def _tool(home: Path = _HOME) -> str:
    parts = [VERSION.encode(), sys.version.encode()]
    for path in _sources(home):
        parts += [os.path.basename(path).encode(), Path(path).read_bytes()]
    for entry in sys.path:
        with suppress(OSError):
            parts += sorted(
                name.encode()
                for name in os.listdir(entry or ".")
                if name.startswith(_LIBRARIES) and name.endswith("-info")
            )
    return _digest(parts)


def _sources(home: Path) -> Iterator[str]:
    """The files that decide what a check finds, always in one order."""
    for package in _SOURCES:
        for base, folders, files in os.walk(home / package):
            folders[:] = sorted(name for name in folders if name not in ("__pycache__", "legacy"))
            for name in sorted(files):
                yield os.path.join(base, name)


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def _prune(where: Path) -> None:
    """Removes caches that nobody has written for a long time."""
    oldest = time.time() - _KEPT_DAYS * 86_400
    for old in where.glob("*.json"):
        with suppress(OSError):
            if old.stat().st_mtime < oldest:
                old.unlink()
