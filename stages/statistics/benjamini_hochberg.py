"""Benjamini and Hochberg's correction: for many slices that are looked through."""

from __future__ import annotations

from collections.abc import Sequence

from stages.statistics._scipy import scipy
from stages.statistics.errors import StatisticsError


def benjamini_hochberg(values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p values, in the order given: the expected share of false discoveries at each.

    Formula: with p sorted upwards, the running minimum from the top of m·p_i / i, at most 1.
    Source: Benjamini and Hochberg 1995, JRSS B 57; computed by scipy's `false_discovery_control`.
    Holds under independence and positive dependence.

    Raises:
        StatisticsError: A value lies outside 0 to 1.
    """
    if any(not 0 <= p <= 1 for p in values):
        raise StatisticsError("a p value lies between 0 and 1")
    if not values:
        return ()
    return tuple(float(p) for p in scipy.stats.false_discovery_control(values, method="bh"))
