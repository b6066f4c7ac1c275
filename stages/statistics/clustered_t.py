"""The clustered t test of paired differences: the test that decides."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from stages.statistics._scipy import numpy as np
from stages.statistics._scipy import scipy
from stages.statistics.clusters import clustered_error, floats


@dataclass(frozen=True, slots=True)
class ClusteredT:
    """The test's result.

    Attributes:
        mean: Mean difference per item.
        error: Its standard error with clusters; None with one cluster.
        t: mean / error; None where the error is none or 0.
        freedom: Degrees of freedom: clusters less one.
        p: Two-sided p value.
    """

    mean: float
    error: float | None
    t: float | None
    freedom: int
    p: float


def clustered_t(
    differences: Sequence[float] | NDArray[Any], clusters: Sequence[Hashable] | None = None
) -> ClusteredT:
    """Test that the mean paired difference is zero.

    Formula: t = d̄ / SE with the clustered SE of `clusters.clustered_error`, G-1 degrees of freedom.
    Source: Liang and Zeger 1986, Biometrika 73; Cameron and Miller 2015, J. Human Resources 50
    (section VI.D on G-1). Without clusters it is the paired t test. Where all clusters have the same
    difference, t is undefined and the exact sign test over clusters, 2^(1-G), stands in; one cluster
    can show nothing, so p is 1.

    Args:
        differences: After less before, one per item.
        clusters: One key per item; None if items are independent.

    Raises:
        StatisticsError: There are no differences, or not as many keys.
    """
    array = floats(differences, "differences")
    error, count = clustered_error(array, clusters)
    mean, freedom = float(array.mean()), count - 1
    if freedom == 0:
        return ClusteredT(mean, None, None, 0, 1.0)
    if error <= np.finfo(np.float64).eps * (1 + abs(mean)):
        return ClusteredT(mean, 0.0, None, freedom, 1.0 if mean == 0 else 2.0 ** (1 - count))
    t = mean / error
    return ClusteredT(mean, error, t, freedom, float(2 * scipy.stats.t.sf(abs(t), freedom)))
