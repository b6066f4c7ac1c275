"""Wilson's score interval for a pass rate, also where items come in clusters."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from stages.statistics._scipy import scipy
from stages.statistics.clusters import design_effect, floats
from stages.statistics.errors import StatisticsError
from stages.statistics.interval import Interval, check_share


@dataclass(frozen=True, slots=True)
class Proportion:
    """A pass rate.

    Attributes:
        passed, n: Items that passed, items in all.
        rate: passed / n.
        interval: Wilson's.
        design_effect: What n was divided by for the interval; 1 without clusters.
    """

    passed: int
    n: int
    rate: float
    interval: Interval
    design_effect: float


def wilson(
    passed: int, n: int, *, design_effect: float = 1.0, confidence: float = 0.95
) -> Proportion:
    """The pass rate with Wilson's interval.

    Formula: (p + z²/2m ± z·sqrt(p(1-p)/m + z²/4m²)) / (1 + z²/m) with m = n / design_effect.
    Source: Wilson 1927, JASA 22; the effective m for clustered samples: Korn and Graubard 1998,
    Survey Methodology 24. Without clusters it equals scipy's
    `binomtest(passed, n).proportion_ci(method="wilson")`, which takes whole m only.

    Args:
        passed, n: Counts.
        design_effect: As `clusters.design_effect` gives it, from 1.
        confidence: Nominal coverage.

    Raises:
        StatisticsError: Counts or levels that cannot be.
    """
    check_share(confidence, "confidence")
    if n < 1 or not 0 <= passed <= n:
        raise StatisticsError(f"{passed} of {n} is no pass rate")
    if design_effect < 1:
        raise StatisticsError(f"a design effect of {design_effect} is below 1")
    interval = wilson_interval(passed / n, n / design_effect, confidence)
    return Proportion(passed, n, passed / n, interval, design_effect)


def wilson_interval(rate: float, size: float, confidence: float = 0.95) -> Interval:
    """Wilson's interval of a rate.

    Args:
        rate: A share from 0 to 1.
        size: The effective number of items; it need not be whole.
        confidence: Nominal coverage.
    """
    z = float(scipy.stats.norm.ppf((1 + confidence) / 2))
    middle = rate + z * z / (2 * size)
    reach = z * (rate * (1 - rate) / size + z * z / (4 * size * size)) ** 0.5
    scale = 1 + z * z / size
    return Interval(
        max(0.0, (middle - reach) / scale) if rate > 0 else 0.0,
        min(1.0, (middle + reach) / scale) if rate < 1 else 1.0,
        confidence,
    )


def wilson_of(
    passed: Sequence[bool],
    clusters: Sequence[Hashable] | None = None,
    *,
    confidence: float = 0.95,
) -> Proportion:
    """Wilson's interval for one verdict per item, widened by the clusters' design effect."""
    array = floats([float(verdict) for verdict in passed], "passed")
    return wilson(
        int(array.sum()),
        len(array),
        design_effect=design_effect(array, clusters),
        confidence=confidence,
    )
