"""Compares two systems on the same items, and says in words what may be concluded."""

from __future__ import annotations

from dataclasses import dataclass

from stages.comparing.judging import judged, moves_of
from stages.comparing.plan import Correction, Plan
from stages.comparing.verdict import Call
from stages.statistics.clustered_t import ClusteredT
from stages.statistics.clusters import design_effect
from stages.statistics.cohens_h import cohens_h
from stages.statistics.detectable import Detectable, minimal_detectable_effect
from stages.statistics.discordant import Discordant, discordant
from stages.statistics.interval import Interval
from stages.statistics.mcnemar import mcnemar
from stages.statistics.odds_ratio import OddsRatio, paired_odds_ratio
from stages.statistics.paired_wilson import paired_wilson
from stages.statistics.wilson import Proportion, wilson_of

_MOST_REGRESSIONS = 0.49


@dataclass(frozen=True, slots=True)
class Paired:
    """The verdicts of two systems on the same items.

    Attributes:
        label: What was measured: an endpoint or a slice.
        before_name, after_name: The systems.
        before, after: Whether each item passed.
        clusters: The cluster key of each item.
    """

    label: str
    before_name: str
    after_name: str
    before: tuple[bool, ...]
    after: tuple[bool, ...]
    clusters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One paired comparison with everything that a reader needs to judge it.

    Attributes:
        label, before_name, after_name: As in `Paired`.
        n, clusters: Items, and clusters that they come in.
        before, after: The two rates with their intervals.
        difference: after - before, a share.
        interval: Wilson's for a paired difference, widened by the clusters' design effect; None with
            one cluster.
        counts: Discordant counts.
        mcnemar_p: Exact, takes items as independent; shown, not used for the call.
        test: The clustered t test, which decides.
        p: Its p value after the correction.
        correction: Which correction.
        h: Cohen's h.
        odds: Gains per loss.
        detectable: The minimal detectable effect.
        call: `better`, `worse` or `undetermined`.
        verdict: The call in words, with its reasons.
    """

    label: str
    before_name: str
    after_name: str
    n: int
    clusters: int
    before: Proportion
    after: Proportion
    difference: float
    interval: Interval | None
    counts: Discordant
    mcnemar_p: float
    test: ClusteredT
    p: float
    correction: Correction
    h: float
    odds: OddsRatio
    detectable: Detectable
    call: Call
    verdict: str


def compare(paired: Paired, plan: Plan | None = None) -> Comparison:
    """Compare two systems on the same items.

    The clustered t test decides. A difference is called only if it is significant and not below the
    minimal detectable effect: what is significant although the suite could hardly have found it is
    mostly exaggerated, and often of the wrong sign (Gelman and Carlin 2014, Perspectives on
    Psychological Science 9). That effect is computed from the plan, the clusters' design effect and
    the items that changed against the trend, never from the difference itself.

    Args:
        paired: The verdicts.
        plan: Levels and sizes; the defaults if None.

    Raises:
        StatisticsError: There are no items, or not as many verdicts on both sides.
    """
    plan = plan or Plan()
    shift = moves_of(paired.label, paired.before, paired.after, paired.clusters, what="verdicts")
    counts = discordant(paired.before, paired.after)
    test = shift.test
    before = wilson_of(paired.before, paired.clusters, confidence=plan.confidence)
    after = wilson_of(paired.after, paired.clusters, confidence=plan.confidence)
    against = min(counts.gained, counts.lost) / counts.n
    effect = design_effect(shift.moves, paired.clusters)
    interval = paired_wilson(counts, design_effect=effect, confidence=plan.confidence)
    found = Comparison(
        label=paired.label,
        before_name=paired.before_name,
        after_name=paired.after_name,
        n=counts.n,
        clusters=shift.clusters,
        before=before,
        after=after,
        difference=test.mean,
        interval=interval if test.freedom else None,
        counts=counts,
        mcnemar_p=mcnemar(counts.gained, counts.lost),
        test=test,
        p=test.p,
        correction="none",
        h=cohens_h(before.rate, after.rate),
        odds=paired_odds_ratio(counts.gained, counts.lost, confidence=plan.confidence),
        detectable=minimal_detectable_effect(
            counts.n,
            design_effect=effect,
            regressions=min(max(plan.regressions, against), _MOST_REGRESSIONS),
            power=plan.power,
            alpha=plan.alpha,
        ),
        call="undetermined",
        verdict="",
    )
    return judged(found, test.p, "none", plan)
