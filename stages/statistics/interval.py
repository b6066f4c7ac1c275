"""An interval and the checks that every method makes on its level."""

from __future__ import annotations

from dataclasses import dataclass

from stages.statistics.errors import StatisticsError


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval.

    Attributes:
        low, high: Its ends, in the unit of what it belongs to.
        confidence: Its nominal coverage, a share.
    """

    low: float
    high: float
    confidence: float

    def holds(self, value: float) -> bool:
        """Whether a value lies inside, ends included."""
        return self.low <= value <= self.high


def check_share(value: float, name: str) -> None:
    """Raise StatisticsError unless a level lies strictly between 0 and 1."""
    if not 0 < value < 1:
        raise StatisticsError(f"{name}={value} is no share between 0 and 1")
