"""Averages compared: against statsmodels, by simulation, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

from stages.comparing.averaged import (
    Averages,
    compare_averages,
    detectable_mean,
)
from stages.comparing.judging import adjust
from stages.comparing.plan import Plan
from stages.statistics.errors import StatisticsError
from stages.statistics.within_margin import within_margin

QUICK = Plan(resamples=100)
MEASURED = Plan(resamples=100, regressions=0.0)  # the spread is taken as it is


def averages(before: np.ndarray, after: np.ndarray, size: int = 4) -> Averages:
    keys = tuple(str(at // size) for at in range(len(before)))
    return Averages("strict", "base", "sft", tuple(before), tuple(after), keys)


def drawn(generator: np.random.Generator, clusters: int, gain: float, samples: int = 4) -> Averages:
    """Items in clusters of 4 that share their difficulty; each answered `samples` times."""
    rates = np.repeat(generator.beta(2, 2, clusters), 4) * (1 - gain)
    before = generator.binomial(samples, rates) / samples
    # The gain differs from cluster to cluster, so that items of one are no independent witnesses.
    gains = np.repeat(generator.choice([0.0, 2 * gain], clusters), 4)
    after = generator.binomial(samples, np.clip(rates + gains, 0, 1)) / samples
    return averages(before, after)


def test_the_test_is_a_regression_with_clustered_errors() -> None:
    found = drawn(np.random.default_rng(3), 40, 0.1)
    shift = compare_averages(found, QUICK)
    clusters = np.array([int(key) for key in found.clusters])
    fit = OLS(found.moves, np.ones(160)).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False}, use_t=True
    )
    assert shift.difference == pytest.approx(fit.params[0])
    error = fit.bse[0] * np.sqrt(40 / 39)
    assert shift.test.error == pytest.approx(error)
    assert (shift.n, shift.clusters) == (160, 40)
    assert shift.interval is not None
    assert shift.interval.holds(shift.difference)


def test_the_detectable_mean_has_the_power_that_statsmodels_computes() -> None:
    found = detectable_mean(0.02, 59, power=0.8, alpha=0.05)
    assert found is not None
    # statsmodels wants an effect in standard deviations, for 60 independent observations.
    power = TTestPower().power(found / (0.02 * np.sqrt(60)), 60, 0.05)
    assert power == pytest.approx(0.8, abs=0.005)
    assert detectable_mean(None, 0) is None


def test_a_gain_of_the_detectable_size_is_found_as_often_as_promised() -> None:
    generator = np.random.default_rng(5)
    gain = 0.055
    shifts = [compare_averages(drawn(generator, 60, gain), MEASURED) for _ in range(600)]
    effects = [shift.detectable.effect for shift in shifts if shift.detectable.effect]
    found = np.mean([shift.test.p <= 0.05 and shift.difference > 0 for shift in shifts])
    # The power at the true gain, by the normal approximation to what each run's effect promises.
    ratio = gain / float(np.mean(effects))
    promised = TTestPower().power(ratio * (2.0 + 0.848) / np.sqrt(60), 60, 0.05)
    assert found == pytest.approx(promised, abs=0.06)


@pytest.mark.slow
def test_the_level_holds_with_clusters() -> None:
    generator = np.random.default_rng(6)
    rejected = 0
    for _ in range(2000):
        found = drawn(generator, 50, 0.0)
        # A shared upset of the whole cluster, up or down with equal chance.
        upset = np.repeat(generator.choice([-0.25, 0.25], 50), 4)
        moved = averages(np.array(found.before), np.array(found.after) + upset)
        rejected += compare_averages(moved, QUICK).test.p <= 0.05
    assert 0.04 <= rejected / 2000 <= 0.06


def test_a_significant_difference_below_the_detectable_one_is_not_called() -> None:
    generator = np.random.default_rng(0)
    moves = generator.normal(0, 0.1, 100)
    moves += 0.023 - moves.mean()
    shift = compare_averages(averages(np.zeros(100), moves, size=1), QUICK)
    assert shift.test.p < 0.05
    assert shift.detectable.effect is not None
    assert shift.difference < shift.detectable.effect
    assert shift.call == "undetermined"
    assert "sft cannot be called better" in shift.verdict
    assert "CG502: 100 items are fewer than 200" in shift.verdict


def test_without_spread_the_suite_is_not_taken_to_show_anything() -> None:
    """Equal answers everywhere have no spread; that does not make tiny differences detectable."""
    same = compare_averages(averages(np.full(240, 0.5), np.full(240, 0.5)), QUICK)
    assert same.call == "undetermined"
    assert same.detectable.effect is not None
    assert same.detectable.effect > 0.08
    assert "only a difference from 0.0" not in same.verdict
    # Ten of 240 items a quarter better, none worse: significant, and next to nothing.
    few = compare_averages(
        averages(np.zeros(240), np.where(np.arange(240) < 10, 0.25, 0), 1), QUICK
    )
    assert few.test.p < 0.01
    assert few.call == "undetermined"
    everywhere = compare_averages(averages(np.zeros(240), np.ones(240)), QUICK)
    assert everywhere.call == "better"
    two = compare_averages(averages(np.zeros(2), np.ones(2), size=1), QUICK)
    assert (two.call, two.detectable.effect) == ("undetermined", None)


def test_correction_takes_a_call_back() -> None:
    generator = np.random.default_rng(1)
    moves = generator.normal(0, 0.1, 400)
    strong, weak = moves + 0.02 - moves.mean(), moves + 0.0145 - moves.mean()
    found = [
        compare_averages(averages(np.zeros(400), one, size=1), MEASURED) for one in (strong, weak)
    ]
    assert [shift.call for shift in found] == ["better", "better"]
    crowd = [compare_averages(averages(np.zeros(400), moves - moves.mean(), size=1), MEASURED)] * 40
    adjusted = adjust([*found, *crowd], "holm", MEASURED)
    assert [shift.call for shift in adjusted[:3]] == ["better", "undetermined", "undetermined"]
    assert adjusted[0].p == pytest.approx(found[0].test.p * 42)


def test_unequal_sides_are_refused() -> None:
    with pytest.raises(StatisticsError, match="2 rates before, 1 after"):
        compare_averages(Averages("x", "a", "b", (0.0, 1.0), (1.0,), ("1", "2")))


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.2])
def test_the_margin_is_that_of_two_one_sided_tests(shift: float) -> None:
    generator = np.random.default_rng(4)
    values = generator.normal(shift, 0.2, 80)
    found = within_margin(list(values), None, 0.1)
    p, _, _ = ttost_paired(values, np.zeros(80), -0.1, 0.1)
    assert found.p == pytest.approx(p)
    assert found.within == (p <= 0.05)
    assert found.interval is not None
    assert found.within == (found.interval.low > -0.1 and found.interval.high < 0.1)


def test_a_margin_without_spread_or_clusters() -> None:
    same = within_margin([0.0] * 20, None, 0.1)
    assert same.within
    assert same.p == 2.0**-20
    assert not within_margin([0.5] * 20, None, 0.1).within
    assert not within_margin([0.0, 0.0], ["one", "one"], 0.1).within
    with pytest.raises(StatisticsError, match="no room"):
        within_margin([0.0], None, 0)


def test_a_change_at_the_margin_is_taken_for_the_same_at_most_at_the_level() -> None:
    generator = np.random.default_rng(9)
    keys = [at // 4 for at in range(200)]
    taken = 0
    for _ in range(2000):
        shared = np.repeat(generator.normal(0, 0.2, 50), 4)
        taken += within_margin(list(0.1 + shared + generator.normal(0, 0.1, 200)), keys, 0.1).within
    assert 0.035 <= taken / 2000 <= 0.065
