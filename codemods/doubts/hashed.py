"""Doubts about files whose bytes somebody checks: whatever is rewritten in them is another file then."""

from __future__ import annotations

import re

from codemods.script.script import Script

_HASHES = re.compile(r"\b(sha\d+|md5|blake2[bs]|hashlib|file_digest|crc32)\b")


def hashed(script: Script) -> str | None:
    """Why a file is not to be touched: it, or one that it imports or that imports it, hashes source files.

    Returns:
        The line, or the file, that does; None for none.
    """
    text = script.bare
    found = _HASHES.search(text) if "__file__" in text else None
    if found is not None:
        line = script.row_in_text(found.start())
        return (
            f"line {line} may hash source files, this one among them, which would have other bytes"
        )
    name = script.path.name
    for path in script.others.near(script.path):
        other = script.others.bare(path)
        if ("__file__" in other or name in other) and _HASHES.search(other):
            return f"{path.name} may hash this file, which would have other bytes"
    return None
