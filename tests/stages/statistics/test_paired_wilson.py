"""Intervals of paired differences and of bits per byte: they cover, and have a width where all is alike."""

from __future__ import annotations

import numpy as np
import pytest

from stages.comparing.comparison import Paired, compare
from stages.comparing.plan import Plan
from stages.comparing.ratios import adjust_ratios, compare_ratios, ratio_of
from stages.statistics.discordant import Discordant, discordant
from stages.statistics.length_only import length_only
from stages.statistics.paired_wilson import paired_wilson
from stages.statistics.wilson import wilson_interval


def test_four_items_that_were_all_gained_prove_little() -> None:
    found = compare(
        Paired("x", "a", "b", (False,) * 4, (True,) * 4, tuple("abcd")), Plan(resamples=100)
    )
    assert found.interval is not None
    assert found.interval.low < 0.5
    assert found.interval.high == 1
    none = compare(
        Paired("x", "a", "b", (True,) * 4, (True,) * 4, tuple("abcd")), Plan(resamples=100)
    )
    assert none.interval is not None
    assert none.interval.low < -0.3 < 0.3 < none.interval.high


def test_swapping_the_models_turns_the_interval_round() -> None:
    one = paired_wilson(Discordant(40, 20, 5, 35), design_effect=1.5)
    other = paired_wilson(Discordant(40, 5, 20, 35), design_effect=1.5)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert one.holds(0.15)
    wide = paired_wilson(Discordant(40, 20, 5, 35), design_effect=4)
    assert wide.low < one.low < one.high < wide.high


def test_without_correlation_the_two_reaches_add_as_squares() -> None:
    found = paired_wilson(Discordant(25, 25, 25, 25))
    half = wilson_interval(0.5, 100)
    reach = ((0.5 - half.low) ** 2 + (half.high - 0.5) ** 2) ** 0.5
    assert (found.low, found.high) == pytest.approx((-reach, reach))


@pytest.mark.parametrize(
    "shares", [(0.3, 0.25, 0.1, 0.35), (0.02, 0.9, 0.01, 0.07), (0.88, 0.05, 0.05, 0.02)]
)
def test_it_covers(shares: tuple[float, ...]) -> None:
    draws = np.random.default_rng(0).multinomial(50, shares, size=600)
    truth = shares[1] - shares[2]
    held = sum(paired_wilson(Discordant(*map(int, row))).holds(truth) for row in draws)
    assert held / len(draws) > 0.925


def test_lengths_that_tell_four_answers_apart_prove_little() -> None:
    found = length_only([1, 2, 8, 9], [True, True, False, False])
    assert found is not None
    assert found.area == 0
    assert found.interval.high > 0.5
    assert not found.predicts


def test_bits_are_weighted_by_bytes_and_their_interval_covers() -> None:
    draw = np.random.default_rng(1)
    sizes = draw.integers(10, 400, size=(300, 40)).astype(float)
    bits = sizes * 0.8 + draw.normal(0, 6, size=sizes.shape) * np.sqrt(sizes) / 5
    keys = [str(at) for at in range(40)]
    held = 0
    for some, size in zip(bits, sizes, strict=True):
        found = ratio_of(list(some), list(size), keys, 0.95)
        assert found.value == pytest.approx(some.sum() / size.sum())
        assert found.interval is not None
        held += found.interval.holds(0.8)
    assert 0.91 < held / 300 < 0.985
    assert ratio_of([1.0], [2.0], ["a"], 0.95).interval is None


def test_less_bits_are_better_and_lengths_alone_are_no_spread() -> None:
    sizes = [10.0, 100.0, 1000.0, 40.0]
    before = [size * 1.0 for size in sizes]
    after = [size * 0.9 for size in sizes]
    keys = list("abcd")
    found = compare_ratios("bits", ("a", "b"), before, after, sizes, keys, Plan())
    assert found.difference == pytest.approx(-0.1)
    # Every text gains the same share of its bytes: no text speaks against it.
    assert found.interval is not None
    assert found.interval.high - found.interval.low < 1e-6
    wobble = [a + (3 if at % 2 else -3) for at, a in enumerate(after)]
    worse = compare_ratios("bits", ("b", "a"), wobble, before, sizes, keys, Plan())
    assert worse.difference > 0
    [one, two] = adjust_ratios([found, worse], "holm", Plan())
    assert (one.correction, two.correction) == ("holm", "holm")
    assert one.p >= found.test.p


def test_counts_are_counted() -> None:
    found = discordant([True, True, False, False], [True, False, True, False])
    assert (found.both, found.lost, found.gained, found.neither) == (1, 1, 1, 1)
