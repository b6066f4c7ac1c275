"""Texts as they are compared: case, width and spacing do not count."""

from __future__ import annotations

import math
import re
import unicodedata

_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")


def value_of(number: str) -> float | None:
    """What a number is, as people write it: `13`, `-13.0`, `1,300`; None if it is none."""
    found = _NUMBER.fullmatch(number.strip())
    value = float(found[0].replace(",", "")) if found else math.inf
    return value if math.isfinite(value) else None


def normalised(text: str) -> str:
    """A text for comparison: NFKC, case-folded, runs of space made one."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
