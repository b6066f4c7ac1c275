"""Doubts about files of which nothing is to be touched: their bytes are checked, or they exchange the library."""

from __future__ import annotations

import re

from codemods.script.script import Script

_HASHES = re.compile(r"\b(sha\d+|md5|blake2[bs]|hashlib|file_digest|crc32)\b")


_PURGES = re.compile(
    r"\bdel\s+sys\.modules\[|\bsys\.modules\.(pop|clear)\(|\breload\(\s*(transformers|peft|torch)\b"
)


def untouchable(script: Script) -> str | None:
    """Why a file is not to be touched; None for no reason."""
    found = _PURGES.search(script.bare) if "transformers" in script.bare else None
    if found is not None:
        line = script.row_in_text(found.start())
        return f"line {line} takes modules out that are imported anew, perhaps of another release"
    return _hashed(script)


def _hashed(script: Script) -> str | None:
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
