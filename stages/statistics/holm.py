"""Holm's correction: for the few comparisons that a conclusion rests on."""

from __future__ import annotations

from collections.abc import Sequence

from stages.statistics.errors import StatisticsError


def holm(values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p values, in the order given; reject where one is at most alpha.

    Formula: with p sorted upwards, the running maximum of (m - i)·p_i for i = 0 …, at most 1.
    Source: Holm 1979, Scandinavian Journal of Statistics 6. Holds the chance of any false rejection
    among them, whatever their dependence.

    Raises:
        StatisticsError: A value lies outside 0 to 1.
    """
    if any(not 0 <= p <= 1 for p in values):
        raise StatisticsError("a p value lies between 0 and 1")
    adjusted = [0.0] * len(values)
    running = 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=lambda at: values[at])):
        running = max(running, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = running
    return tuple(adjusted)
