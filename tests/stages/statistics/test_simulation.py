"""Coverage and type-I error, measured by simulation with fixed seeds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from stages.statistics.bootstrap import cluster_bootstrap
from stages.statistics.clustered_t import clustered_t
from stages.statistics.mcnemar import mcnemar
from stages.statistics.wilson import wilson, wilson_of

RATES = np.linspace(0.05, 0.95, 37)


def null_differences(
    generator: np.random.Generator, clusters: int, size: int, correlation: float
) -> np.ndarray:
    """Differences of mean 0 in -1, 0, 1, of which 0.3 are not 0, correlated within clusters."""

    def draw(rows: int, columns: int) -> np.ndarray:
        return generator.choice([-1.0, 0.0, 1.0], p=[0.15, 0.7, 0.15], size=(rows, columns))

    # Two items take the cluster's value together with probability `correlation`.
    takes = generator.random((clusters, size)) < np.sqrt(correlation)
    return np.where(takes, draw(clusters, 1), draw(clusters, size)).ravel()


def rejections(simulations: int, clusters: int) -> tuple[float, float]:
    """Shares of true null hypotheses that the clustered test and McNemar's reject at 5%."""
    generator = np.random.default_rng(20)
    keys = [number for number in range(clusters) for _ in range(4)]
    clustered = naive = 0
    for _ in range(simulations):
        moves = null_differences(generator, clusters, 4, 0.8)
        clustered += clustered_t(moves, keys).p <= 0.05
        naive += mcnemar(int((moves > 0).sum()), int((moves < 0).sum())) <= 0.05
    return clustered / simulations, naive / simulations


def wilson_coverage(n: int) -> float:
    """Exact coverage, averaged over the rates."""
    intervals = [wilson(passed, n).interval for passed in range(n + 1)]
    return float(
        np.mean(
            [
                sum(
                    weight
                    for weight, interval in zip(
                        stats.binom.pmf(range(n + 1), n, rate), intervals, strict=True
                    )
                    if interval.holds(rate)
                )
                for rate in RATES
            ]
        )
    )


def bootstrap_coverage(simulations: int, n: int) -> float:
    generator = np.random.default_rng(31)
    truth, held = 0.2, 0
    for _ in range(simulations):
        moves = generator.choice([-1.0, 0.0, 1.0], p=[0.1, 0.6, 0.3], size=n)
        held += cluster_bootstrap(moves, resamples=1000).holds(truth)
    return held / simulations


def clustered_bootstrap_coverage(simulations: int, clusters: int) -> tuple[float, float]:
    """Coverage with clusters respected, and with the same items taken as independent."""
    generator = np.random.default_rng(32)
    keys = [number for number in range(clusters) for _ in range(4)]
    held = naive = 0
    for _ in range(simulations):
        moves = null_differences(generator, clusters, 4, 0.8)
        held += cluster_bootstrap(moves, keys, resamples=1000).holds(0)
        naive += cluster_bootstrap(moves, resamples=1000).holds(0)
    return held / simulations, naive / simulations


def clustered_wilson_coverage(simulations: int, clusters: int) -> float:
    generator = np.random.default_rng(33)
    keys = [number for number in range(clusters) for _ in range(4)]
    held = 0
    for _ in range(simulations):
        shared = generator.random((clusters, 1)) < 0.4
        own = generator.random((clusters, 4)) < 0.4
        takes = generator.random((clusters, 4)) < np.sqrt(0.8)
        held += wilson_of(np.where(takes, shared, own).ravel(), keys).interval.holds(0.4)
    return held / simulations


@pytest.mark.parametrize("n", [30, 50, 100, 200, 400])
def test_wilson_covers(n: int) -> None:
    assert 0.93 <= wilson_coverage(n) <= 0.97


@pytest.mark.parametrize("n", [30, 100])
def test_bootstrap_covers(n: int) -> None:
    assert 0.93 <= bootstrap_coverage(600, n) <= 0.97


def test_clustered_test_holds_its_level_and_mcnemar_does_not() -> None:
    clustered, naive = rejections(3000, 50)
    assert 0.04 <= clustered <= 0.06
    assert naive > 0.15


@pytest.mark.slow
@pytest.mark.parametrize("clusters", [50, 180])
def test_clustered_test_holds_its_level_over_many_runs(clusters: int) -> None:
    clustered, naive = rejections(20_000, clusters)
    assert 0.04 <= clustered <= 0.06
    assert naive > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, 50, 100, 200])
def test_bootstrap_covers_over_many_runs(n: int) -> None:
    assert 0.93 <= bootstrap_coverage(5000, n) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("clusters", [30, 60])
def test_clusters_must_be_resampled_whole(clusters: int) -> None:
    held, naive = clustered_bootstrap_coverage(3000, clusters)
    assert 0.93 <= held <= 0.97
    assert naive < 0.75


@pytest.mark.slow
@pytest.mark.parametrize("clusters", [30, 60, 180])
def test_wilson_covers_with_clusters(clusters: int) -> None:
    assert 0.93 <= clustered_wilson_coverage(5000, clusters) <= 0.97
