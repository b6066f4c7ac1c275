"""Discordant counts: on how many items two systems disagree, and which way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stages.statistics.errors import StatisticsError


@dataclass(frozen=True, slots=True)
class Discordant:
    """The paired two-by-two table.

    Attributes:
        both: Items that pass before and after.
        gained: Items that fail before and pass after.
        lost: Items that pass before and fail after.
        neither: Items that fail both times.
    """

    both: int
    gained: int
    lost: int
    neither: int

    @property
    def n(self) -> int:
        """All items."""
        return self.both + self.gained + self.lost + self.neither


def discordant(before: Sequence[bool], after: Sequence[bool]) -> Discordant:
    """Count the pairs; raises StatisticsError where the two differ in length or are empty."""
    if len(before) != len(after) or not before:
        raise StatisticsError(f"{len(before)} verdicts before and {len(after)} after are no pairs")
    pairs = [(bool(first), bool(second)) for first, second in zip(before, after, strict=True)]
    return Discordant(
        both=pairs.count((True, True)),
        gained=pairs.count((False, True)),
        lost=pairs.count((True, False)),
        neither=pairs.count((False, False)),
    )
