"""The length-only check: could the score be told from the length of the answers alone?"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from stages.statistics._scipy import numpy as np
from stages.statistics._scipy import scipy
from stages.statistics.clusters import Floats, floats
from stages.statistics.errors import StatisticsError
from stages.statistics.interval import Interval
from stages.statistics.wilson import Proportion, wilson, wilson_interval

_PREDICTS = 0.9  # area from which on length alone is as good as the scorer


@dataclass(frozen=True, slots=True)
class LengthOnly:
    """How well the length of an answer predicts that it passed.

    Attributes:
        area: Chance that a passing answer is longer than a failing one (ties count half): 0.5 says
            nothing, 1 or 0 says everything.
        interval: Wilson's, over the clusters of the rarer verdict.
        threshold: The best single cut, in tokens.
        shorter_passes: Whether answers up to the cut are called passing, rather than those above.
        accuracy: Items that the cut gets right; a little too high, as it was chosen on them.
        majority: Share of items in the larger class: what a guess without looking gets right.
        predicts: The area's interval lies wholly beyond 0.9 or below 0.1: the scorer may measure
            length.
    """

    area: float
    interval: Interval
    threshold: float
    shorter_passes: bool
    accuracy: Proportion
    majority: float
    predicts: bool


def length_only(
    lengths: Sequence[float],
    passed: Sequence[bool],
    clusters: Sequence[Hashable] | None = None,
    *,
    confidence: float = 0.95,
) -> LengthOnly | None:
    """Check whether length alone predicts the verdicts; None where all verdicts are the same.

    Formula: the area is U / (passing · failing) of Mann and Whitney; the cut maximises accuracy in
    either direction. Source: Hanley and McNeil 1982, Radiology 143. Its variance is at most A(1-A) by
    the size of the smaller class (Cortes and Mohri 2004, NeurIPS 17), which the interval assumes: four
    answers that length tells apart are no proof.

    Args:
        lengths: Generated tokens, one number per item.
        passed: Verdicts.
        clusters: One key per item.
        confidence: Nominal coverage.

    Raises:
        StatisticsError: Lengths and verdicts differ in number, or there are none.
    """
    sizes = floats(lengths, "lengths")
    if len(sizes) != len(passed):
        raise StatisticsError(f"{len(sizes)} lengths and {len(passed)} verdicts")
    good = np.array([bool(verdict) for verdict in passed])
    if good.all() or not good.any():
        return None
    area = float(
        scipy.stats.mannwhitneyu(sizes[good], sizes[~good]).statistic / (good.sum() * (~good).sum())
    )
    interval = _area_interval(area, good, clusters, confidence)
    right, threshold, shorter = _best_cut(sizes, good)
    return LengthOnly(
        area=area,
        interval=interval,
        threshold=threshold,
        shorter_passes=shorter,
        accuracy=wilson(right, len(sizes), confidence=confidence),
        majority=float(max(good.mean(), 1 - good.mean())),
        predicts=interval.low > _PREDICTS or interval.high < 1 - _PREDICTS,
    )


def _best_cut(sizes: Floats, good: np.ndarray) -> tuple[int, float, bool]:
    """Items that the best cut gets right, the cut, and which side of it passes."""
    cuts = np.unique(sizes)
    short = sizes[:, None] <= cuts[None, :]
    right = (short == good[:, None]).sum(axis=0)
    wrong = len(sizes) - right
    at, other = int(right.argmax()), int(wrong.argmax())
    if right[at] >= wrong[other]:
        return int(right[at]), float(cuts[at]), True
    return int(wrong[other]), float(cuts[other]), False


def _area_interval(
    area: float, good: np.ndarray, clusters: Sequence[Hashable] | None, confidence: float
) -> Interval:
    """Wilson's, for the largest variance that an area can have: A(1-A) / the smaller class."""
    keys = list(range(len(good))) if clusters is None else list(clusters)
    size = min(
        len({key for key, verdict in zip(keys, good, strict=True) if verdict == side})
        for side in (True, False)
    )
    return wilson_interval(area, size, confidence)
