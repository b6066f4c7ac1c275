"""What the statistics refuse to compute with."""

from __future__ import annotations


class StatisticsError(ValueError):
    """Numbers that no statistic can be made of: empty, unequal in length, out of range."""
