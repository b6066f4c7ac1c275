"""What a file's content is called, and when a file need not be read to know it."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

from cleanguard.cache import stamp_of
from cleanguard.files import SourceFile
from lint_rules._run.neighbours import TRIGGER, stranger_beside


def digest_of(raw: bytes, path: Path | str) -> str:
    """The name of a content, and of what a rule looks at beside it."""
    digest = blake2b(raw, digest_size=16)
    if TRIGGER in raw:
        digest.update((stranger_beside(Path(path)) or "").encode())
    return digest.hexdigest()


def stamp_before(file: SourceFile) -> str:
    """Call this before a file is read; empty for content that stands in no file."""
    return stamp_of(file.place) if file.content is None else ""


def stamp_after(stamp: str, raw: bytes) -> str:
    """The stamp to keep: none where what stands beside the file counts as well."""
    return "" if TRIGGER in raw else stamp
