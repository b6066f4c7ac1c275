"""Odds ratios: of paired verdicts, and of two independent groups."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt

from stages.statistics._scipy import scipy
from stages.statistics.errors import StatisticsError
from stages.statistics.interval import Interval, check_share


@dataclass(frozen=True, slots=True)
class OddsRatio:
    """An odds ratio.

    Attributes:
        ratio: Above 1 favours what came after.
        interval: Wald's, on the log scale.
        corrected: Half a count was added to each cell, because one was empty.
    """

    ratio: float
    interval: Interval
    corrected: bool


def paired_odds_ratio(gained: int, lost: int, *, confidence: float = 0.95) -> OddsRatio:
    """The conditional odds ratio of paired verdicts: gains per loss.

    Formula: gained / lost, with sqrt(1/gained + 1/lost) as the error of its logarithm; 1/2 is added
    to both where one is 0 (Haldane and Anscombe).
    Source: Agresti 2013, Categorical Data Analysis, 11.2; Haldane 1956, Anscombe 1956. The interval
    takes items as independent.

    Raises:
        StatisticsError: A count is negative.
    """
    return _ratio((gained,), (lost,), confidence)


def odds_ratio(
    passed: int, failed: int, passed_before: int, failed_before: int, *, confidence: float = 0.95
) -> OddsRatio:
    """The odds ratio of two independent groups.

    Formula: (passed · failed_before) / (failed · passed_before), with the root of the sum of the
    four reciprocals as the error of its logarithm; 1/2 is added to each where one is 0.
    Source: Woolf 1955; Haldane 1956, Anscombe 1956.

    Raises:
        StatisticsError: A count is negative.
    """
    return _ratio((passed, failed_before), (failed, passed_before), confidence)


def _ratio(above: tuple[int, ...], below: tuple[int, ...], confidence: float) -> OddsRatio:
    check_share(confidence, "confidence")
    counts = (*above, *below)
    if min(counts) < 0:
        raise StatisticsError(f"{counts} holds a negative count")
    corrected = min(counts) == 0
    extra = 0.5 if corrected else 0.0
    logarithm = sum(log(count + extra) for count in above) - sum(
        log(count + extra) for count in below
    )
    z = float(scipy.stats.norm.ppf((1 + confidence) / 2))
    reach = z * sqrt(sum(1 / (count + extra) for count in counts))
    interval = Interval(exp(logarithm - reach), exp(logarithm + reach), confidence)
    return OddsRatio(exp(logarithm), interval, corrected)
