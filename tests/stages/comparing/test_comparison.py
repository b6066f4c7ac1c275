"""A comparison says what may be said, and refuses the rest in words."""

from __future__ import annotations

import pytest

from stages.comparing.comparison import Comparison, Paired, compare
from stages.comparing.judging import adjust
from stages.comparing.plan import Plan
from stages.statistics.bootstrap import cluster_bootstrap
from stages.statistics.clustered_t import clustered_t
from stages.statistics.cohens_h import cohens_h
from stages.statistics.detectable import minimal_detectable_effect
from stages.statistics.discordant import discordant
from stages.statistics.errors import StatisticsError
from stages.statistics.holm import holm
from stages.statistics.pass_at_k import pass_at_k
from stages.statistics.wilson import wilson

QUICK = Plan(resamples=500)


def pairs(both: int, gained: int, lost: int, neither: int, size: int = 1) -> Paired:
    """Verdicts with these counts; `size` neighbours share a cluster."""
    before = [True] * both + [False] * gained + [True] * lost + [False] * neither
    after = [True] * both + [True] * gained + [False] * lost + [False] * neither
    clusters = [f"c{number // size}" for number in range(len(before))]
    return Paired("strict", "base", "sft", tuple(before), tuple(after), tuple(clusters))


def judged(*counts: int, size: int = 1) -> Comparison:
    return compare(pairs(*counts, size=size), QUICK)


def test_a_large_difference_is_called() -> None:
    found = judged(20, 80, 5, 145)
    assert found.call == "better"
    assert found.verdict.startswith("sft is better than base: +30.0 points [")
    assert (found.n, found.clusters, found.counts.gained) == (250, 250, 80)
    assert found.difference == pytest.approx(found.after.rate - found.before.rate)
    assert judged(20, 5, 80, 145).call == "worse"


def test_a_significant_difference_below_the_detectable_one_is_refused_in_words() -> None:
    found = judged(100, 16, 2, 132)
    assert found.p < 0.01
    assert found.detectable.effect is not None
    assert 0 < found.difference < found.detectable.effect
    assert found.call == "undetermined"
    assert "sft cannot be called better" in found.verdict
    assert "only a difference from" in found.verdict
    assert "is better" not in found.verdict


def test_no_difference_is_not_called_equal() -> None:
    found = judged(100, 10, 9, 131)
    assert found.verdict.startswith("No difference between base and sft is shown")
    assert "only a difference from" in found.verdict


def test_twelve_items_show_next_to_nothing() -> None:
    found = judged(2, 6, 0, 4)
    assert found.mcnemar_p < 0.05
    assert found.call == "undetermined"
    assert "CG502: 12 items are fewer than 200" in found.verdict
    assert "4 items in 4 clusters are too few to call anything" in judged(0, 4, 0, 0).verdict


def test_clusters_weaken_a_difference() -> None:
    alone, together = judged(60, 30, 10, 150), judged(60, 30, 10, 150, size=10)
    assert together.p > alone.p
    assert together.detectable.design_effect > 5
    assert together.mcnemar_p == alone.mcnemar_p


def test_more_losses_than_planned_raise_the_detectable_effect() -> None:
    calm, restless = judged(100, 20, 5, 125), judged(60, 70, 50, 70)
    assert calm.detectable.regressions == 0.05
    assert restless.detectable.regressions == pytest.approx(0.2)
    assert (restless.detectable.effect or 0) > (calm.detectable.effect or 1)


def test_identical_results_and_single_clusters() -> None:
    same = judged(10, 0, 0, 240)
    assert (same.p, same.mcnemar_p, same.odds.ratio, same.call) == (1, 1, 1, "undetermined")
    alone = compare(pairs(1, 3, 0, 0, size=4), QUICK)
    assert (alone.interval, alone.p) == (None, 1)


def test_every_item_gained_needs_no_spread_for_its_p() -> None:
    assert judged(0, 250, 0, 0).call == "better"
    assert clustered_t([1.0] * 5).p == 2**-4


def test_corrections_judge_again() -> None:
    family = [judged(100, 24, 5, 121), *[judged(100, 10, 9, 131)] * 9]
    raw, corrected = family[0], adjust(family, "holm", QUICK)[0]
    assert raw.p == corrected.test.p
    assert corrected.p == pytest.approx(10 * raw.p)
    assert corrected.correction == "holm"
    spread = adjust(family, "benjamini-hochberg", QUICK)
    assert all(one.p >= one.test.p for one in spread)
    assert adjust(family, "none", QUICK)[0].p == raw.p


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: wilson(3, 2), id="more passed than items"),
        pytest.param(lambda: wilson(0, 0), id="no items"),
        pytest.param(lambda: wilson(1, 2, confidence=95), id="per cent for a share"),
        pytest.param(lambda: discordant([True], []), id="unpaired verdicts"),
        pytest.param(lambda: clustered_t([]), id="no differences"),
        pytest.param(lambda: clustered_t([float("nan")]), id="not a number"),
        pytest.param(lambda: clustered_t([1.0, 0.0], ["a"]), id="fewer keys than items"),
        pytest.param(lambda: cluster_bootstrap([1.0, 0.0], ["a", "a"]), id="one cluster"),
        pytest.param(lambda: cluster_bootstrap([1.0, 0.0], resamples=10), id="few resamples"),
        pytest.param(lambda: cohens_h(0.5, 1.5), id="a rate above one"),
        pytest.param(lambda: holm([1.5]), id="a p value above one"),
        pytest.param(lambda: minimal_detectable_effect(0), id="no items to plan with"),
        pytest.param(lambda: pass_at_k(3, 1, 4), id="k above the samples"),
        pytest.param(lambda: compare(Paired("x", "a", "b", (), (), ())), id="nothing to compare"),
        pytest.param(
            lambda: compare(Paired("x", "a", "b", (True,), (True,), ())), id="no cluster keys"
        ),
    ],
)
def test_what_cannot_be_computed_is_refused(call: object) -> None:
    with pytest.raises(StatisticsError):
        call()  # type: ignore[operator]
