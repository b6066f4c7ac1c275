"""Texts as they are compared: case, width and spacing do not count."""

from __future__ import annotations

import unicodedata


def normalised(text: str) -> str:
    """A text for comparison: NFKC, case-folded, runs of space made one, without what cannot be seen.

    What cannot be seen are zero-width characters, soft hyphens, bidi marks and variation selectors.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c for c in folded if not _is_unseen(c)).split())


def _is_unseen(character: str) -> bool:
    return (
        unicodedata.category(character) == "Cf"
        or "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
        or character in "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
    )
