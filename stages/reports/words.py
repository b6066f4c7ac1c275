"""Numbers as a reader wants them, the same in Markdown and HTML."""

from __future__ import annotations

from stages.comparing.averaged import Shift
from stages.comparing.comparison import Comparison
from stages.comparing.ratios import Ratio
from stages.comparing.verdict import p_value, points
from stages.statistics.wilson import Proportion

Difference = Comparison | Shift


def percent(share: float) -> str:
    """A share in per cent: `34.1%`."""
    return f"{100 * share:.1f}%"


def with_interval(found: Proportion) -> str:
    """A share with its interval: `34.1% [28.2, 40.5]`."""
    low, high = found.interval.low, found.interval.high
    return f"{percent(found.rate)} [{100 * low:.1f}, {100 * high:.1f}]"


def ends(found: Proportion) -> str:
    """A share's interval alone, in per cent: `[28.2, 40.5]`."""
    return f"[{100 * found.interval.low:.1f}, {100 * found.interval.high:.1f}]"


def place(value: float, least: float, most: float) -> str:
    """Where a value lies between two others, as a length in CSS."""
    share = (value - least) / (most - least) if most > least else 0.0
    return f"{100 * min(max(share, 0.0), 1.0):.2f}%"


def rest(value: float, least: float, most: float) -> str:
    """How far a value lies from the upper one."""
    return place(least + most - value, least, most)


def difference(found: Difference) -> str:
    """A difference in points with its interval."""
    if found.interval is None:
        return points(found.difference)
    return (
        f"{points(found.difference)} [{points(found.interval.low)}, {points(found.interval.high)}]"
    )


def probability(p: float) -> str:
    """A p value for a table: `0.034`, `<0.0001`."""
    return p_value(p).removeprefix("= ").replace("< ", "<")


def odds(found: Comparison) -> str:
    """The odds ratio, marked where half a count was added."""
    return f"{found.odds.ratio:.3g}{'*' if found.odds.corrected else ''}"


def detectable(found: Difference) -> str:
    """The minimal detectable effect in points."""
    effect = found.detectable.effect
    return "none" if effect is None else f"{100 * effect:.1f}"


def bits(found: Ratio) -> str:
    """Bits per byte with their interval."""
    if found.interval is None:
        return f"{found.value:.4f}"
    return f"{found.value:.4f} [{found.interval.low:.4f}, {found.interval.high:.4f}]"
