"""Unified diffs of bytes, in the form that `git apply` takes."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import PurePath

_STEERS = re.compile(rb'[\x00-\x1f"\\#\x7f-\xff]')
_ODD = re.compile(rb'[\x00-\x1f"\\\x7f]')


def unified(name: str, before: bytes, after: bytes) -> bytes:
    """The patch from one content to another, empty where they are equal.

    Args:
        name: The file's path as it was given; written with `a/` and `b/` before it.
        before: The old bytes.
        after: The new bytes.
    """
    path = os.fsencode(PurePath(name).as_posix().removeprefix("./").lstrip("/"))
    names = (_quoted(b"a/" + path), _quoted(b"b/" + path))
    lines = difflib.diff_bytes(difflib.unified_diff, _lines(before), _lines(after), *names, n=3)
    return b"".join(_ended(line) for line in lines)


def _quoted(path: bytes) -> bytes:
    """A path as git writes it: between quotes where it holds what would end the line, steer, or quote."""
    shown = path.decode("utf-8", "surrogateescape").isprintable() and b"##[" not in path
    if shown and not _ODD.search(path):
        return path
    odd = _ODD if shown else _STEERS
    return b'"' + odd.sub(lambda found: b"\\%03o" % found[0][0], path) + b'"'


def _lines(content: bytes) -> list[bytes]:
    """Lines with their ends; only `\\n` ends a line, as in git."""
    return [line + b"\n" for line in content.split(b"\n")[:-1]] + [
        line for line in content.split(b"\n")[-1:] if line
    ]


def _ended(line: bytes) -> bytes:
    return line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"
