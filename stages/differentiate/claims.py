"""What may be said of two models over all temperatures; nothing here is taken for granted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stages.comparing.averaged import Averages, Shift, compare_averages
from stages.comparing.judging import adjust
from stages.comparing.plan import Plan
from stages.comparing.verdict import p_value, points
from stages.differentiate.report import Change, Claim, Trend
from stages.statistics.clustered_t import clustered_t
from stages.statistics.holm import holm
from stages.statistics.within_margin import within_margin


def claims_of(
    found: Sequence[Mapping[float, Averages]], margin: float, plan: Plan
) -> tuple[Claim, ...]:
    """One claim for each pair of models.

    Args:
        found: For each pair, its averages by temperature, lowest first.
        margin: A difference that changes by less than this counts as the same.
        plan: Levels and sizes.
    """
    flat = [compare_averages(one, plan) for pair in found for one in pair.values()]
    adjusted = iter(adjust(flat, "holm", plan))
    return tuple(_claim(pair, tuple(next(adjusted) for _ in pair), margin, plan) for pair in found)


def _claim(
    pair: Mapping[float, Averages], shifts: tuple[Shift, ...], margin: float, plan: Plan
) -> Claim:
    temperatures = list(pair)
    changes = _changes(pair, margin, plan)
    trend = _trend(changes, plan)
    return Claim(
        before_name=shifts[0].before_name,
        after_name=shifts[0].after_name,
        shifts=shifts,
        consistent=len(shifts) > 1 and all(shift.call == "better" for shift in shifts),
        words=_words(temperatures, shifts),
        changes=changes,
        trend=trend,
        trend_words=_trend_words(temperatures[0], changes, trend, margin),
    )


def _words(temperatures: Sequence[float], shifts: Sequence[Shift]) -> str:
    before, after = shifts[0].before_name, shifts[0].after_name
    calls: dict[str, list[str]] = {}
    for temperature, shift in zip(temperatures, shifts, strict=True):
        calls.setdefault(shift.call, []).append(f"{temperature:g}")
    if len(shifts) == 1:
        said = {"better": f"{after} is better than {before}", "worse": f"{after} is worse than {before}"}  # fmt: skip
        text = said.get(shifts[0].call, f"No difference between {before} and {after} is shown")
        return f"{text} at the one temperature {temperatures[0]:g}; consistency needs several."
    if len(calls) == 1 and "undetermined" not in calls:
        [call] = calls
        return f"{after} is consistently {call} than {before}: at each of the temperatures {_listed(calls[call])}."
    told = "; ".join(f"{call} at {_listed(where)}" for call, where in calls.items())
    return f"No consistent improvement of {after} over {before} is shown: {told}."


def _changes(pair: Mapping[float, Averages], margin: float, plan: Plan) -> tuple[Change, ...]:
    (_, first), *others = pair.items()
    moves = [
        (temperature, [b - a for a, b in zip(first.moves, other.moves, strict=True)])
        for temperature, other in others
    ]
    adjusted = holm([clustered_t(values, first.clusters).p for _, values in moves])
    return tuple(
        Change(temperature, within_margin(values, first.clusters, margin, alpha=plan.alpha), p)
        for (temperature, values), p in zip(moves, adjusted, strict=True)
    )


def _trend(changes: Sequence[Change], plan: Plan) -> Trend:
    if changes and all(change.found.within for change in changes):
        return "same"
    return "changes" if any(change.p <= plan.alpha for change in changes) else "unsettled"


def _trend_words(lowest: float, changes: Sequence[Change], trend: Trend, margin: float) -> str:
    if not changes:
        return ""
    told = "; ".join(_change_words(lowest, change) for change in changes)
    within = f"±{100 * margin:g} points"
    if trend == "same":
        return f"The difference is the same at every temperature, within {within}: {told}."
    if trend == "changes":
        return f"The difference depends on the temperature: {told}."
    return (
        f"Whether the difference depends on the temperature is not settled: {told}; "
        f"{within} would count as the same."
    )


def _change_words(lowest: float, change: Change) -> str:
    found = change.found
    text = f"from {lowest:g} to {change.temperature:g} it changes by {points(found.mean)}"
    if found.interval is not None:
        low, high = found.interval.low, found.interval.high
        text += f" ({found.interval.confidence:.0%} interval {points(low)} to {points(high)})"
    return f"{text}, p {p_value(change.p)}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
