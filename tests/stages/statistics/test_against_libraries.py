"""Every method against scipy, statsmodels or a hand calculation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import Table2x2
from statsmodels.stats.contingency_tables import mcnemar as sm_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint, proportion_effectsize

from stages.statistics.benjamini_hochberg import benjamini_hochberg
from stages.statistics.bootstrap import cluster_bootstrap
from stages.statistics.clustered_t import clustered_t
from stages.statistics.clusters import design_effect
from stages.statistics.cohens_h import cohens_h, size_of
from stages.statistics.detectable import minimal_detectable_effect, paired_power
from stages.statistics.discordant import Discordant, discordant
from stages.statistics.holm import holm
from stages.statistics.length_only import length_only
from stages.statistics.mcnemar import mcnemar
from stages.statistics.odds_ratio import odds_ratio, paired_odds_ratio
from stages.statistics.pass_at_k import mean_pass_at_k, pass_at_k
from stages.statistics.wilson import wilson, wilson_of

P_VALUES = [0.04, 0.001, 0.03, 0.2, 0.001, 1.0, 0.0499]


@pytest.mark.parametrize(("passed", "n"), [(0, 1), (0, 30), (1, 30), (15, 30), (30, 30), (87, 249)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilson(passed: int, n: int, confidence: float) -> None:
    found = wilson(passed, n, confidence=confidence).interval
    scipys = stats.binomtest(passed, n).proportion_ci(confidence, method="wilson")
    assert (found.low, found.high) == pytest.approx((scipys.low, scipys.high), abs=1e-12)
    statsmodels = proportion_confint(passed, n, 1 - confidence, method="wilson")
    assert (found.low, found.high) == pytest.approx(statsmodels, abs=1e-12)


def test_wilson_widens_as_if_there_were_as_many_items_as_clusters() -> None:
    verdicts = [number % 3 == 0 for number in range(60) for _ in range(4)]
    clusters = [number for number in range(60) for _ in range(4)]
    found = wilson_of(verdicts, clusters)
    assert found.design_effect == pytest.approx(4, rel=0.02)
    few = wilson(20, 60).interval
    assert (found.interval.low, found.interval.high) == pytest.approx(
        (few.low, few.high), abs=0.002
    )


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (5, 1), (13, 13), (40, 12)])
def test_mcnemar(gained: int, lost: int) -> None:
    table = [[50, lost], [gained, 30]]
    assert mcnemar(gained, lost) == pytest.approx(sm_mcnemar(table, exact=True).pvalue)


def test_discordant_counts() -> None:
    assert discordant([True, False, True, False], [True, True, False, False]) == Discordant(
        1, 1, 1, 1
    )


def clustered_sample(seed: int) -> tuple[np.ndarray, list[str]]:
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 6, size=40)
    clusters = [f"c{number}" for number, size in enumerate(sizes) for _ in range(size)]
    shared = np.repeat(generator.normal(size=40), sizes)
    return np.sign(shared + generator.normal(size=len(clusters)) + 0.3).round(), clusters


@pytest.mark.parametrize("seed", range(5))
def test_clustered_t_is_the_cluster_robust_regression_on_a_constant(seed: int) -> None:
    values, clusters = clustered_sample(seed)
    codes = np.unique(clusters, return_inverse=True)[1]
    fit = OLS(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": codes, "df_correction": True}, use_t=True
    )
    found = clustered_t(values, clusters)
    # statsmodels multiplies the variance by (N-1)/(N-K), which is 1 for one regressor.
    assert found.error == pytest.approx(fit.bse[0], rel=1e-9)
    assert found.p == pytest.approx(fit.pvalues[0], rel=1e-6)
    assert found.freedom == 39


def test_clustered_t_without_clusters_is_the_paired_t_test() -> None:
    generator = np.random.default_rng(3)
    before, after = generator.random(50), generator.random(50) + 0.1
    assert clustered_t(after - before).p == pytest.approx(stats.ttest_rel(after, before).pvalue)


def test_design_effect_of_whole_clusters_is_their_size() -> None:
    values = [float(number % 2) for number in range(50) for _ in range(4)]
    clusters = [number for number in range(50) for _ in range(4)]
    assert design_effect(values, clusters) == pytest.approx(4, rel=0.03)
    assert design_effect(values, None) == 1


def test_design_effect_assumes_the_worst_where_nothing_varies() -> None:
    clusters = [number for number in range(50) for _ in range(4)]
    assert design_effect([1.0] * 200, clusters) == 4
    assert design_effect([1.0] * 200, None) == 1
    assert design_effect([1.0, 0.0], ["a", "a"]) == 2
    none = wilson_of([False] * 200, clusters).interval
    assert none.high == pytest.approx(wilson(0, 50).interval.high)


def test_bootstrap_without_clusters_agrees_with_scipy() -> None:
    values = np.random.default_rng(5).normal(0.2, 1, size=400)
    found = cluster_bootstrap(values)
    scipys = stats.bootstrap((values,), np.mean, method="percentile", rng=1).confidence_interval
    assert (found.low, found.high) == pytest.approx((scipys.low, scipys.high), abs=0.01)


def test_bootstrap_depends_on_its_seed_alone() -> None:
    values, clusters = clustered_sample(1)
    assert cluster_bootstrap(values, clusters) == cluster_bootstrap(values, clusters)
    assert cluster_bootstrap(values, clusters, seed=1) != cluster_bootstrap(values, clusters)


@pytest.mark.parametrize(("before", "after"), [(0, 1), (0.2, 0.5), (0.5, 0.2), (0.3, 0.3), (1, 1)])
def test_cohens_h(before: float, after: float) -> None:
    assert cohens_h(before, after) == pytest.approx(proportion_effectsize(after, before))


def test_cohens_words() -> None:
    words = [size_of(h) for h in (0.1, -0.2, 0.5, -3.0)]
    assert words == ["negligible", "small", "medium", "large"]


def test_odds_ratio_of_groups() -> None:
    theirs = Table2x2(np.array([[12, 5], [7, 16]]))
    found = odds_ratio(12, 5, 7, 16)
    assert found.ratio == pytest.approx(theirs.oddsratio)
    assert (found.interval.low, found.interval.high) == pytest.approx(theirs.oddsratio_confint())
    assert not found.corrected


def test_odds_ratio_with_an_empty_cell_has_half_a_count_more() -> None:
    theirs = Table2x2(np.array([[12.5, 0.5], [7.5, 16.5]]), shift_zeros=False)
    found = odds_ratio(12, 0, 7, 16)
    assert (found.ratio, found.corrected) == (pytest.approx(theirs.oddsratio), True)
    paired = paired_odds_ratio(9, 0)
    assert (paired.ratio, paired.corrected) == (pytest.approx(19), True)
    assert paired_odds_ratio(0, 0).ratio == 1


def test_paired_odds_ratio() -> None:
    found = paired_odds_ratio(20, 5)
    assert found.ratio == pytest.approx(4)
    assert math.log(found.interval.high / found.ratio) == pytest.approx(1.959964 * 0.5, rel=1e-5)


def test_holm() -> None:
    assert holm(P_VALUES) == pytest.approx(multipletests(P_VALUES, method="holm")[1])
    assert holm([]) == ()


def test_benjamini_hochberg() -> None:
    assert benjamini_hochberg(P_VALUES) == pytest.approx(
        multipletests(P_VALUES, method="fdr_bh")[1]
    )
    assert benjamini_hochberg([]) == ()


@pytest.mark.parametrize(
    ("n", "points"),
    [(12, 67.8), (45, 24.8), (130, 11.9), (200, 8.9), (400, 5.7), (1000, 3.3)],
)
def test_detectable_effect_is_the_published_table(n: int, points: float) -> None:
    effect = minimal_detectable_effect(n).effect
    assert effect is not None
    assert 100 * effect == pytest.approx(points, abs=0.05)


def test_detectable_effect_counts_clusters() -> None:
    assert (
        minimal_detectable_effect(400, design_effect=2).effect
        == minimal_detectable_effect(200).effect
    )
    assert minimal_detectable_effect(3).effect is None


def test_power_is_that_of_simulated_tests() -> None:
    generator = np.random.default_rng(11)
    drawn = generator.multinomial(200, [0.15, 0.05, 0.8], size=4000)
    rejected = np.mean([mcnemar(gained, lost) <= 0.05 for gained, lost, _ in drawn])
    assert paired_power(200, 0.10, 0.05, 0.05) == pytest.approx(rejected, abs=0.02)


def test_pass_at_k_is_the_share_of_draws_with_a_hit() -> None:
    assert pass_at_k(5, 2, 1) == pytest.approx(0.4)
    assert pass_at_k(5, 2, 3) == pytest.approx(stats.hypergeom.sf(0, 5, 2, 3))
    assert (pass_at_k(5, 0, 5), pass_at_k(5, 5, 1), pass_at_k(5, 3, 3)) == (0, 1, 1)
    assert mean_pass_at_k([(4, 0), (4, 4)], 2) == pytest.approx(0.5)


def test_length_area_is_mann_whitneys() -> None:
    generator = np.random.default_rng(2)
    lengths = generator.integers(1, 40, size=200)
    passed = generator.random(200) < lengths / 50
    found = length_only(lengths, passed)
    assert found is not None
    u = stats.mannwhitneyu(lengths[passed], lengths[~passed]).statistic
    assert found.area == pytest.approx(u / (passed.sum() * (~passed).sum()))
    assert found.interval.low < found.area < found.interval.high
    best = max(
        max(np.mean((lengths <= cut) == passed), np.mean((lengths > cut) == passed))
        for cut in lengths
    )
    assert found.accuracy.rate == pytest.approx(best)


def test_length_that_decides_is_told() -> None:
    lengths = [5] * 50 + [40] * 50
    found = length_only(lengths, [length < 10 for length in lengths])
    assert found is not None
    assert (found.area, found.threshold, found.shorter_passes) == (0, 5, True)
    assert found.predicts
    assert length_only([1, 2], [True, True]) is None
