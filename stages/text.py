"""Texts as they are compared: case, width and spacing do not count."""

from __future__ import annotations

import unicodedata


def normalised(text: str) -> str:
    """A text for comparison: NFKC, case-folded, runs of space made one."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
