"""What may be said over all temperatures is computed from the answers, never taken for granted."""

from __future__ import annotations

import numpy as np
import pytest

from stages.comparing.averaged import Averages
from stages.comparing.plan import Plan
from stages.differentiate.claims import claims_of
from stages.differentiate.report import Claim

PLAN = Plan(resamples=200)
SPREAD = np.random.default_rng(2).choice([0.0, 0.25, 0.5], 300)


def at(temperature: float, gain: float, before: str = "base", after: str = "sft") -> Averages:
    """300 items in 100 clusters; every third one moves by three times the gain."""
    moved = np.where(np.arange(300) % 3 == 0, 3 * gain, 0.0)
    return Averages(
        f"strict, temperature {temperature:g}", before, after, tuple(SPREAD),
        tuple(SPREAD + moved), tuple(f"c{item // 3}" for item in range(300)),
    )  # fmt: skip


def noisy(temperature: float, gain: float, seed: int = 0) -> Averages:
    one = at(temperature, gain)
    noise = np.random.default_rng(seed).normal(0, 0.2, 300)
    return Averages(
        one.label, one.before_name, one.after_name, one.before,
        tuple(np.array(one.after) + noise - noise.mean()), one.clusters,
    )  # fmt: skip


def claim(*found: Averages, margin: float = 0.1) -> Claim:
    pair = {float(one.label.rpartition(" ")[2]): one for one in found}
    [only] = claims_of([pair], margin, PLAN)
    return only


def test_better_everywhere_is_consistent() -> None:
    found = claim(noisy(0.1, 0.2), noisy(0.5, 0.2, 1), noisy(0.9, 0.2, 2))
    assert found.consistent
    assert found.words == (
        "sft is consistently better than base: at each of the temperatures 0.1, 0.5 and 0.9."
    )
    assert [shift.correction for shift in found.shifts] == ["holm"] * 3
    assert found.trend == "same"
    assert "within ±10 points" in found.trend_words


def test_one_temperature_without_a_gain_is_enough_to_deny_it() -> None:
    found = claim(noisy(0.1, 0.2), noisy(0.5, 0.2, 1), noisy(0.9, 0.0, 2))
    assert not found.consistent
    assert found.words == (
        "No consistent improvement of sft over base is shown: better at 0.1 and 0.5; "
        "undetermined at 0.9."
    )
    assert found.trend == "changes"
    assert "depends on the temperature" in found.trend_words


def test_a_loss_everywhere_is_no_improvement() -> None:
    found = claim(noisy(0.1, -0.2), noisy(0.5, -0.2, 1))
    assert not found.consistent
    assert "consistently worse" in found.words


def test_equal_averages_are_no_improvement() -> None:
    """The old script called models differentiated whose averages were equal."""
    found = claim(at(0.1, 0.0), at(0.9, 0.0))
    assert not found.consistent
    assert found.trend == "same"
    assert [shift.call for shift in found.shifts] == ["undetermined"] * 2


def test_one_temperature_is_never_consistent() -> None:
    found = claim(noisy(0.5, 0.3))
    assert not found.consistent
    assert found.words.startswith("sft is better than base at the one temperature 0.5")
    assert found.trend_words == ""


def test_a_wide_interval_settles_nothing() -> None:
    wild = [
        Averages(
            one.label, one.before_name, one.after_name, one.before,
            tuple(np.array(one.before) + 0.3 + np.random.default_rng(seed).normal(0, 0.9, 300)),
            one.clusters,
        )
        for seed, one in enumerate((at(0.1, 0), at(0.9, 0)))
    ]  # fmt: skip
    found = claim(*wild, margin=0.02)
    assert found.trend == "unsettled"
    assert "±2 points would count as the same" in found.trend_words


def test_the_correction_counts_all_pairs_and_temperatures() -> None:
    pairs = [{t: at(t, 0.002, *names) for t in (0.1, 0.5)} for names in (("a", "b"), ("b", "c"))]
    noise = np.random.default_rng(8).normal(0, 0.05, 300)
    pairs = [
        {
            t: Averages(
                one.label, one.before_name, one.after_name, one.before,
                tuple(np.array(one.after) + noise), one.clusters,
            )
            for t, one in pair.items()
        }
        for pair in pairs
    ]  # fmt: skip
    found = claims_of(pairs, 0.1, PLAN)
    smallest = min((s for one in found for s in one.shifts), key=lambda shift: shift.test.p)
    assert smallest.p == pytest.approx(min(1.0, 4 * smallest.test.p))
