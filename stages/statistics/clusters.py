"""Items in clusters: several wordings of one fact are one draw from the world, not several."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from numpy.typing import NDArray

from stages.statistics._scipy import numpy as np
from stages.statistics.errors import StatisticsError

Floats = NDArray[np.float64]


def floats(values: Sequence[float] | NDArray[Any], name: str) -> Floats:
    """The values as float64.

    Raises:
        StatisticsError: There are none, or one is no finite number.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise StatisticsError(f"{name} holds no values")
    if not np.isfinite(array).all():
        raise StatisticsError(f"{name} holds a value that is no finite number")
    return array


def cluster_sums(values: Floats, clusters: Sequence[Hashable] | None) -> tuple[Floats, Floats]:
    """The sum of the values and the number of items in each cluster.

    Args:
        values: One value per item.
        clusters: One cluster key per item; None makes every item its own cluster.

    Raises:
        StatisticsError: There are not as many keys as values.
    """
    if clusters is None:
        return values, np.ones_like(values)
    if len(clusters) != len(values):
        raise StatisticsError(f"{len(values)} values and {len(clusters)} cluster keys")
    places: dict[Hashable, int] = {}
    codes = np.array([places.setdefault(key, len(places)) for key in clusters])
    sums = np.bincount(codes, weights=values).astype(np.float64)
    return sums, np.bincount(codes).astype(np.float64)


def clustered_error(values: Floats, clusters: Sequence[Hashable] | None) -> tuple[float, int]:
    """The standard error of the mean with clusters, and their number G.

    Formula: sqrt(G/(G-1) · Σ_g (Σ_{i in g} (x_i - x̄))²) / N; without clusters it is s/√N.
    Source: Liang and Zeger 1986 (CR1 without the term for regressors); Miller 2024, "Adding Error
    Bars to Evals", eq. 4. With one cluster it is unknown: NaN.
    """
    sums, sizes = cluster_sums(values - values.mean(), clusters)
    count = len(sums)
    if count < 2:
        return float("nan"), count
    return float(np.sqrt(count / (count - 1) * (sums**2).sum()) / sizes.sum()), count


def design_effect(
    values: Sequence[float] | NDArray[Any], clusters: Sequence[Hashable] | None
) -> float:
    """How many times larger clustering makes the variance of the mean, at least 1.

    Formula: max(1, SE_clustered² / SE_independent²). Where nothing varies, or there is one cluster,
    the correlation cannot be measured, and the worst is assumed: Σ_g n_g² / N, as if all items of a
    cluster were one.
    Source: Kish 1965, Survey Sampling, 5.4 and 8.2. N divided by it is the effective number of items.
    """
    array = floats(values, "values")
    _, sizes = cluster_sums(array, clusters)
    clustered, count = clustered_error(array, clusters)
    plain, _ = clustered_error(array, None)
    if count < 2 or not plain > 0:
        return float((sizes**2).sum() / sizes.sum())
    return max(1.0, float(clustered / plain) ** 2)
