"""What may be said about a difference, and the sentence that says it."""

from __future__ import annotations

from typing import Literal

from cleanguard.catalogue.hazards import TOO_FEW_ITEMS
from cleanguard.report.counting import counted
from stages.statistics.detectable import Detectable
from stages.statistics.interval import Interval

Call = Literal["better", "worse", "undetermined"]


def call_of(difference: float, p: float, detectable: Detectable, alpha: float) -> Call:
    """`better` or `worse` where the difference is significant and not below the detectable one."""
    effect = detectable.effect
    if p > alpha or effect is None or abs(difference) < effect:
        return "undetermined"
    return "better" if difference > 0 else "worse"


def verdict_of(
    before: str,
    after: str,
    difference: float,
    interval: Interval | None,
    p: float,
    detectable: Detectable,
    clusters: int,
    *,
    alpha: float,
    minimum: int,
) -> str:
    """The call in words: the difference, its interval, its p value, and what the suite can show."""
    call = call_of(difference, p, detectable, alpha)
    measured = f"{points(difference)} points"
    if interval is not None:
        measured += f" [{points(interval.low)}, {points(interval.high)}]"
    measured += f", p {p_value(p)}"
    sizes = f"{counted(detectable.n, 'item')} in {counted(clusters, 'cluster')}"
    least = detectable.effect
    if call != "undetermined":
        text = f"{after} is {call} than {before}: {measured}."
    elif p > alpha:
        text = f"No difference between {before} and {after} is shown: {measured}."
    else:
        text = f"{after} cannot be called {'better' if difference > 0 else 'worse'}: {measured}."
    if least is None:
        text += (
            f" {sizes} are too few to call anything: not even a change of all of them would be found "
            f"{detectable.power:.0%} of the time."
        )
    elif call == "undetermined":
        reason = "A significant difference below that is mostly exaggerated. " if p <= alpha else ""
        text += (
            f" With {sizes} only a difference from {100 * least:.1f} points is found "
            f"{detectable.power:.0%} of the time. {reason}"
        ).rstrip()
    if detectable.n < minimum:
        are = "is" if detectable.n == 1 else "are"
        text += (
            f" {TOO_FEW_ITEMS.code}: {counted(detectable.n, 'item')} {are} fewer than {minimum}."
        )
    return text


def points(share: float) -> str:
    """A difference in percentage points, with its sign."""
    return f"{100 * share:+.1f}"


def p_value(p: float) -> str:
    """A p value for a sentence: `= 0.034`, `< 0.0001`."""
    if p < 1e-4:
        return "< 0.0001"
    return f"= {p:.4f}" if p < 0.01 else f"= {p:.3f}"
