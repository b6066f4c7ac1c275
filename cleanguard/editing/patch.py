"""Unified diffs of bytes, in the form that `git apply` takes."""

from __future__ import annotations

import difflib
from pathlib import PurePath


def unified(name: str, before: bytes, after: bytes) -> bytes:
    """The patch from one content to another, empty where they are equal.

    Args:
        name: The file's path as it was given; written with `a/` and `b/` before it.
        before: The old bytes.
        after: The new bytes.
    """
    path = PurePath(name).as_posix().removeprefix("./").lstrip("/").encode()
    lines = difflib.diff_bytes(
        difflib.unified_diff, _lines(before), _lines(after), b"a/" + path, b"b/" + path, n=3
    )
    return b"".join(_ended(line) for line in lines)


def _lines(content: bytes) -> list[bytes]:
    """Lines with their ends; only `\\n` ends a line, as in git."""
    return [line + b"\n" for line in content.split(b"\n")[:-1]] + [
        line for line in content.split(b"\n")[-1:] if line
    ]


def _ended(line: bytes) -> bytes:
    return line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"
