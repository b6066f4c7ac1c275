"""Likelihoods of whole texts: bits per byte with their interval, and how two models differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cleanguard.report.counting import counted
from stages.comparing.corrections import corrected
from stages.comparing.plan import Correction, Plan
from stages.comparing.verdict import p_value
from stages.statistics._scipy import numpy as np
from stages.statistics._scipy import scipy
from stages.statistics.clustered_t import ClusteredT, clustered_t
from stages.statistics.clusters import clustered_error, floats
from stages.statistics.errors import StatisticsError
from stages.statistics.interval import Interval

RatioCall = Literal["better", "worse", "undetermined"]


@dataclass(frozen=True, slots=True)
class Ratio:
    """Bits per byte over texts: all bits by all bytes, so that a long text counts for more.

    Attributes:
        value: Bits per byte.
        interval: A clustered t interval of the linearised ratio; None with one cluster.
    """

    value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class RatioShift:
    """By how many bits per byte two models differ on the same texts.

    Attributes:
        label: What was measured.
        before_name, after_name: The models.
        n, clusters: Texts, and clusters that they come in.
        difference: After less before; below 0 the second model is the better one.
        interval: Its interval; None with one cluster.
        test: The clustered t test, which decides.
        p: Its p value after the correction.
        correction: Which correction.
        call: `better`, `worse` or `undetermined`.
        verdict: The call in words.
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
    call: RatioCall
    verdict: str


def ratio_of(
    bits: Sequence[float], sizes: Sequence[float], clusters: Sequence[str], confidence: float
) -> Ratio:
    """Bits per byte of one model.

    Formula: R = Σ bits / Σ bytes; its clustered error is that of the mean of (bits - R·bytes) / mean
    bytes. Source: Cochran 1977, Sampling Techniques, 6.3 (the ratio estimator, linearised).

    Args:
        bits, sizes: Of each text.
        clusters: The cluster key of each.
        confidence: Coverage of the interval.

    Raises:
        StatisticsError: There are no texts, or a number is none.
    """
    values, count = _linearised(bits, sizes)
    error, groups = clustered_error(floats(values, "bits"), clusters)
    interval = _interval(count, error, groups, confidence)
    if interval is not None and interval.low < 0:
        interval = replace(interval, low=0.0)  # a text takes no fewer bits than none
    return Ratio(count, interval)


def compare_ratios(
    label: str,
    names: tuple[str, str],
    before: Sequence[float],
    after: Sequence[float],
    sizes: Sequence[float],
    clusters: Sequence[str],
    plan: Plan,
) -> RatioShift:
    """Compare the bits that two models need for the same texts.

    Args:
        label: What was measured.
        names: The models.
        before, after: Bits of each text.
        sizes: Its bytes.
        clusters: Its cluster key.
        plan: Levels.

    Raises:
        StatisticsError: There are no texts, or not as many on both sides.
    """
    if not len(before) == len(after) == len(sizes) == len(clusters):
        raise StatisticsError(f"{label}: {len(before)} texts before and {len(after)} after")
    values, value = _linearised([b - a for a, b in zip(before, after, strict=True)], sizes)
    test = clustered_t(values, clusters)
    interval = _interval(value, test.error, test.freedom + 1, plan.confidence)
    found = RatioShift(
        label, *names, len(sizes), test.freedom + 1, value, interval, test, test.p, "none",
        "undetermined", "",
    )  # fmt: skip
    return _judged(found, test.p, "none", plan)


def adjust_ratios(
    family: Sequence[RatioShift], correction: Correction, plan: Plan
) -> tuple[RatioShift, ...]:
    """The comparisons with p values corrected for their number, and judged again."""
    values = corrected([one.test.p for one in family], correction)
    return tuple(_judged(one, p, correction, plan) for one, p in zip(family, values, strict=True))


def _linearised(bits: Sequence[float], sizes: Sequence[float]) -> tuple[list[float], float]:
    """Values whose mean is the ratio, and whose spread is its own, not that of the lengths."""
    top, bottom = floats(bits, "bits"), floats(sizes, "bytes")
    ratio = float(top.sum() / bottom.sum())
    values = ratio + (top - ratio * bottom) / bottom.mean()
    return [float(value) for value in np.asarray(values)], ratio


def _interval(value: float, error: float | None, groups: int, confidence: float) -> Interval | None:
    if groups < 2 or error is None:
        return None
    reach = float(scipy.stats.t.ppf((1 + confidence) / 2, groups - 1)) * error
    return Interval(value - reach, value + reach, confidence)


def _judged(found: RatioShift, p: float, correction: Correction, plan: Plan) -> RatioShift:
    call: RatioCall = "undetermined"
    if p <= plan.alpha:
        call = "better" if found.difference < 0 else "worse"
    measured = f"{found.difference:+.4f} bits per byte"
    if found.interval is not None:
        measured += f" [{found.interval.low:+.4f}, {found.interval.high:+.4f}]"
    measured += (
        f", p {p_value(p)}, {counted(found.n, 'text')} in {counted(found.clusters, 'cluster')}"
    )
    if call == "undetermined":
        said = f"No difference between {found.before_name} and {found.after_name} is shown"
    else:
        way = "likelier" if call == "better" else "less likely"
        said = f"{found.after_name} finds these texts {way} than {found.before_name}"
    return replace(found, p=p, correction=correction, call=call, verdict=f"{said}: {measured}.")
