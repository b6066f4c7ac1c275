"""Compares two systems on several sampled answers an item: averages instead of single verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from stages.comparing.judging import Moves, judged, moves_of
from stages.comparing.plan import Correction, Plan
from stages.comparing.verdict import Call
from stages.statistics._scipy import scipy
from stages.statistics.bootstrap import cluster_bootstrap
from stages.statistics.clustered_t import ClusteredT
from stages.statistics.clusters import design_effect
from stages.statistics.detectable import Detectable
from stages.statistics.interval import Interval
from stages.statistics.paired_wilson import paired_scores


@dataclass(frozen=True, slots=True)
class Averages:
    """The pass rates of two systems on the same items.

    Attributes:
        label: What was measured: an endpoint, a slice, a temperature.
        before_name, after_name: The systems.
        before, after: The share of passing answers to each item, from 0 to 1.
        clusters: The cluster key of each item.
    """

    label: str
    before_name: str
    after_name: str
    before: tuple[float, ...]
    after: tuple[float, ...]
    clusters: tuple[str, ...]

    @property
    def moves(self) -> list[float]:
        """After less before, one per item."""
        return [after - before for before, after in zip(self.before, self.after, strict=True)]


@dataclass(frozen=True, slots=True)
class Shift:
    """The mean paired difference of averages, and what may be concluded from it.

    Attributes:
        label, before_name, after_name: As in `Averages`.
        n, clusters: Items, and clusters that they come in.
        difference: Mean of after - before over the items, a share.
        interval: Its cluster-bootstrap interval, or Wilson's over clusters where all of them moved
            alike; None with one cluster.
        test: The clustered t test, which decides.
        p: Its p value after the correction.
        correction: Which correction.
        detectable: The minimal detectable effect.
        call: `better`, `worse` or `undetermined`.
        verdict: The call in words, with its reasons.
    """

    label: str
    before_name: str
    after_name: str
    n: int
    clusters: int
    difference: float
    interval: Interval | None
    test: ClusteredT
    p: float
    correction: Correction
    detectable: Detectable
    call: Call
    verdict: str


def compare_averages(averages: Averages, plan: Plan | None = None) -> Shift:
    """Compare two systems by their pass rates on the same items.

    As `comparison.compare`, for shares: the clustered t test decides, and a difference below the
    minimal detectable one is not called.

    Args:
        averages: The rates.
        plan: Levels and sizes; the defaults if None.

    Raises:
        StatisticsError: There are no items, or not as many rates on both sides.
    """
    plan = plan or Plan()
    shift = moves_of(
        averages.label, averages.before, averages.after, averages.clusters, what="rates"
    )
    test = shift.test
    found = Shift(
        label=averages.label,
        before_name=averages.before_name,
        after_name=averages.after_name,
        n=len(shift.moves),
        clusters=shift.clusters,
        difference=test.mean,
        interval=_interval(averages, shift, plan),
        test=test,
        p=test.p,
        correction="none",
        detectable=_detectable(shift.moves, test, averages.clusters, plan),
        call="undetermined",
        verdict="",
    )
    return judged(found, test.p, "none", plan)


def _interval(averages: Averages, shift: Moves, plan: Plan) -> Interval | None:
    if not shift.test.freedom:
        return None
    if shift.test.t is None:
        # Resampling clusters that are all alike would give an interval of no width.
        before, after = mean(averages.before), mean(averages.after)
        return paired_scores(before, after, shift.clusters, 0.0, plan.confidence)
    return cluster_bootstrap(
        shift.moves,
        averages.clusters,
        resamples=plan.resamples,
        seed=plan.seed,
        confidence=plan.confidence,
    )


def detectable_mean(
    error: float | None, freedom: int, *, power: float = 0.8, alpha: float = 0.05
) -> float | None:
    """The least mean difference that the clustered t test finds with the wanted power.

    Formula: (t_{1-α/2, G-1} + t_{power, G-1}) · SE, with the clustered SE of the differences.
    Source: Bloom 1995, Evaluation Review 19, "Minimum detectable effects". It depends on how much
    items differ, never on the mean difference itself.

    Args:
        error: The standard error; None with one cluster.
        freedom: Clusters less one.
        power: Chance of finding it.
        alpha: Two-sided level of the test.

    Returns:
        A share; None with one cluster, where nothing can be found.
    """
    if error is None or freedom < 1:
        return None
    quantile = scipy.stats.t.ppf
    return float((quantile(1 - alpha / 2, freedom) + quantile(power, freedom)) * error)


def _detectable(
    moves: Sequence[float], test: ClusteredT, clusters: Sequence[str], plan: Plan
) -> Detectable:
    """From the spread of the differences, or the plan's where models hardly differ.

    Answers that are nearly all the same have no spread, and that would make any difference
    detectable; the plan's share of regressions, with as many gains, is the least that is assumed:
    a variance of 2r an item.
    """
    effect = design_effect(moves, clusters)
    least: float | None = None
    if test.error is not None:
        planned = (2 * plan.regressions * effect / len(moves)) ** 0.5
        error = max(test.error, planned)
        least = detectable_mean(error, test.freedom, power=plan.power, alpha=plan.alpha)
    if least is not None and least > 1:
        least = None
    return Detectable(least, len(moves), effect, plan.regressions, plan.power, plan.alpha)
