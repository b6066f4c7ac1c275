"""What other files of a run say, a notebook by the code of its cells."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from lint_rules._run.notebook import SUFFIX, cells
from lint_rules._run.source import SourceError


def content_of(path: Path) -> bytes:
    """What is in a file; nothing for what cannot be read, or never ends."""
    try:
        raw = path.read_bytes() if path.is_file() else b""
    except OSError:
        return b""
    if path.suffix == SUFFIX:
        with suppress(SourceError):
            return "\n".join(text for _, text in cells(raw)).encode("utf-8", "replace")
    return raw
