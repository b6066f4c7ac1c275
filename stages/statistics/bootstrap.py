"""The cluster bootstrap: an interval for a paired difference that assumes no distribution."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from numpy.typing import NDArray

from stages.statistics._scipy import numpy as np
from stages.statistics._scipy import scipy
from stages.statistics.clusters import cluster_sums, floats
from stages.statistics.errors import StatisticsError
from stages.statistics.interval import Interval, check_share

_ROWS = 1_000  # resamples held in memory at a time


def cluster_bootstrap(
    differences: Sequence[float] | NDArray[Any],
    clusters: Sequence[Hashable] | None = None,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """A percentile interval for the mean difference; whole clusters are drawn with replacement.

    Formula: quantiles q and 1-q of Σ_g S_g / Σ_g n_g over resampled clusters, with
    q = Φ(-sqrt(G/(G-1)) · t_{(1+confidence)/2, G-1}).
    Source: Efron and Tibshirani 1993, chapter 13; resampling clusters: Davison and Hinkley 1997,
    section 3.8; the expanded q, without which small samples give intervals that are too short:
    Hesterberg 2015, The American Statistician 69.

    Args:
        differences: After less before, one per item.
        clusters: One key per item; None if items are independent.
        resamples: Bootstrap draws; 100 are the fewest that can be asked for.
        seed: The draws depend on it alone.
        confidence: Nominal coverage.

    Raises:
        StatisticsError: There are no differences, one cluster only, or too few resamples.
    """
    check_share(confidence, "confidence")
    if resamples < 100:
        raise StatisticsError(f"{resamples} resamples are too few for an interval")
    sums, sizes = cluster_sums(floats(differences, "differences"), clusters)
    count = len(sums)
    if count < 2:
        raise StatisticsError("one cluster gives no interval")
    generator = np.random.default_rng(seed)
    means = []
    for start in range(0, resamples, _ROWS):
        rows = min(_ROWS, resamples - start)
        drawn = generator.integers(0, count, size=(rows, count))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    t = scipy.stats.t.ppf((1 + confidence) / 2, count - 1)
    tail = float(scipy.stats.norm.cdf(-np.sqrt(count / (count - 1)) * t))
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return Interval(float(low), float(high), confidence)
