"""Cohen's h: the size of a difference between two rates."""

from __future__ import annotations

from math import asin, sqrt
from typing import Literal

from stages.statistics.errors import StatisticsError

Size = Literal["negligible", "small", "medium", "large"]


def cohens_h(before: float, after: float) -> float:
    """The difference of two rates on the scale where equal distances are equally hard to see.

    Formula: 2·asin(√after) - 2·asin(√before). Source: Cohen 1988, Statistical Power Analysis,
    chapter 6. From -π to π, without a unit.

    Raises:
        StatisticsError: A rate lies outside 0 to 1.
    """
    if not (0 <= before <= 1 and 0 <= after <= 1):
        raise StatisticsError(f"{before} and {after} are no rates")
    return 2 * asin(sqrt(after)) - 2 * asin(sqrt(before))


def size_of(h: float) -> Size:
    """Cohen's words for it: small from 0.2, medium from 0.5, large from 0.8."""
    for least, word in ((0.8, "large"), (0.5, "medium"), (0.2, "small")):
        if abs(h) >= least:
            return word  # type: ignore[return-value]  # the loop loses the literal
    return "negligible"
