"""Wilson's interval for the difference of two paired rates."""

from __future__ import annotations

from stages.statistics.discordant import Discordant
from stages.statistics.errors import StatisticsError
from stages.statistics.interval import Interval
from stages.statistics.wilson import wilson_interval


def paired_wilson(
    counts: Discordant, *, design_effect: float = 1.0, confidence: float = 0.95
) -> Interval:
    """An interval for after - before that has a width also where every item moved, or none did.

    Formula: δ - sqrt((p₁-l₁)² - 2φ(p₁-l₁)(u₂-p₂) + (u₂-p₂)²) and δ + sqrt((u₁-p₁)² - 2φ(u₁-p₁)(p₂-l₂) +
    (p₂-l₂)²), with Wilson's intervals (l, u) of the two rates, each of n / design_effect items, and φ
    the correlation of the verdicts with Newcombe's continuity correction.
    Source: Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10; the effective n: Korn and
    Graubard 1998, Survey Methodology 24.

    Args:
        counts: The paired table.
        design_effect: Of the differences, as `clusters.design_effect` gives it, from 1.
        confidence: Nominal coverage.

    Raises:
        StatisticsError: A design effect below 1.
    """
    if design_effect < 1:
        raise StatisticsError(f"a design effect of {design_effect} is below 1")
    n = counts.n
    after, before = (counts.both + counts.gained) / n, (counts.both + counts.lost) / n
    correlation = _correlation(counts)
    return paired_scores(before, after, n / design_effect, correlation, confidence)


def paired_scores(
    before: float, after: float, size: float, correlation: float, confidence: float
) -> Interval:
    """The same from two rates, the effective number of items, and the correlation."""
    one, two = wilson_interval(after, size, confidence), wilson_interval(before, size, confidence)
    below, above = after - one.low, one.high - after
    over, under = two.high - before, before - two.low
    difference = after - before
    low = below**2 - 2 * correlation * below * over + over**2
    high = above**2 - 2 * correlation * above * under + under**2
    return Interval(
        max(-1.0, difference - max(low, 0.0) ** 0.5),
        min(1.0, difference + max(high, 0.0) ** 0.5),
        confidence,
    )


def _correlation(counts: Discordant) -> float:
    both, lost, gained, neither = counts.both, counts.lost, counts.gained, counts.neither
    margins = (both + lost) * (gained + neither) * (both + gained) * (lost + neither)
    if not margins:
        return 0.0
    covariance = float(both * neither - lost * gained)
    if covariance > 0:
        covariance = max(covariance - counts.n / 2, 0.0)
    return float(covariance / margins**0.5)
