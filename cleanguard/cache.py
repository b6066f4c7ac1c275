"""What earlier runs found, by the content of the files: a run over unchanged files reads and compares.

One file for each folder and configuration, in the user's cache folder, or where
`CLEANGUARD_CACHE_DIR` says. An entry counts only if nothing that it rests on has changed: the file, the
tool's own sources, the configuration, the interpreter, the versions of the libraries that rules look
up, the names of the files of the run and the content of those that were followed.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import tempfile
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


@dataclass(frozen=True, slots=True)
class Entry:
    """What was found in one file.

    Attributes:
        digest: Of its content.
        findings: As plain lists.
        run: Digest of the names of the files of the run; empty where they cannot matter.
        uses: Content digests of the files that were followed from it, by path.
    """

    digest: str
    findings: tuple[Any, ...] = ()
    run: str = ""
    uses: Mapping[str, str] | None = None


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
        self._changed = False
        with suppress(OSError, ValueError, RecursionError):
            head, _, body = _read_regular(file).partition(b"\n")
            if head == _head(tool, body):
                found = json.loads(body)
                self._entries = found if isinstance(found, dict) else {}

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
        if len(found) == 1:
            return Entry(digest)
        _, findings, made_in, uses = found
        if made_in and made_in != run:
            return None
        if any(digests.get(used) != content for used, content in uses.items()):
            return None
        return Entry(digest, tuple(findings), made_in, uses)

    def put(self, path: str, entry: Entry) -> None:
        """Keep an entry."""
        plain: list[Any] = [entry.digest]
        if entry.findings or entry.run:
            plain += [list(entry.findings), entry.run, dict(entry.uses or {})]
        self._entries[path] = plain
        self._changed = True

    def save(self) -> None:
        """Write what is new; a cache that cannot be written is none, and no reason to fail."""
        if not self._changed:
            return
        text = json.dumps(self._entries, separators=(",", ":"))
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
