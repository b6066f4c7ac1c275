"""Shows that a mean is about zero: the only honest road to "it makes no difference"."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from stages.statistics._scipy import scipy
from stages.statistics.clustered_t import clustered_t
from stages.statistics.errors import StatisticsError
from stages.statistics.interval import Interval


@dataclass(frozen=True, slots=True)
class WithinMargin:
    """The result of two one-sided tests.

    Attributes:
        mean: The mean.
        interval: Its interval at confidence 1 - 2 alpha; None with one cluster.
        margin: What counts as no difference, on both sides.
        p: The larger of the two one-sided p values.
        within: The whole interval lies inside the margin.
    """

    mean: float
    interval: Interval | None
    margin: float
    p: float
    within: bool


def within_margin(
    values: Sequence[float],
    clusters: Sequence[Hashable] | None,
    margin: float,
    *,
    alpha: float = 0.05,
) -> WithinMargin:
    """Test that a mean lies within a margin around zero.

    Formula: t tests of mean > -margin and of mean < margin with the clustered standard error, each
    at level alpha; both reject exactly where the interval at 1 - 2 alpha lies inside the margin.
    Source: Schuirmann 1987, J. Pharmacokinetics and Biopharmaceutics 15 (two one-sided tests);
    clusters as in `clustered_t`.

    Args:
        values: One per item.
        clusters: One key per item; None if items are independent.
        margin: Above 0.
        alpha: Level of each test.

    Raises:
        StatisticsError: There are no values, not as many keys, or no margin.
    """
    if margin <= 0:
        raise StatisticsError(f"a margin of {margin} leaves no room")
    found = clustered_t(values, clusters)
    if found.error is None:
        return WithinMargin(found.mean, None, margin, 1.0, False)
    reach = float(scipy.stats.t.ppf(1 - alpha, found.freedom)) * found.error
    interval = Interval(found.mean - reach, found.mean + reach, 1 - 2 * alpha)
    inside = abs(found.mean) < margin
    if found.error == 0:
        p = 2.0 ** -(found.freedom + 1) if inside else 1.0
    else:
        p = float(scipy.stats.t.sf((margin - abs(found.mean)) / found.error, found.freedom))
    return WithinMargin(found.mean, interval, margin, p, inside and p <= alpha)
