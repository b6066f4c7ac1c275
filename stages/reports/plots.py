"""Plots as inline SVG: a forest of paired differences, rates by slice, endings and lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stages.reports._libraries import matplotlib
from stages.reports.canvas import CALLS, INK, MODELS, MUTED, figure_of, svg_of
from stages.reports.model import Rates, Report
from stages.reports.results import Result
from stages.reports.words import Difference, difference

_ROW = 0.34  # inches a row


def forest(found: Sequence[Difference]) -> str:
    """Paired differences in points with their intervals; the band is what the suite cannot show."""
    figure, axes = figure_of(len(found) * 0.5 + 0.9, left=0.20, right=0.74)
    rows = list(range(len(found)))[::-1]
    for row, one in zip(rows, found, strict=True):
        least = one.detectable.effect
        if least is not None:
            axes.barh(row, 200 * least, left=-100 * least, height=0.62, color="#f1e9d6", zorder=1)
        color = CALLS[one.call]
        if one.interval:
            ends = [100 * one.interval.low, 100 * one.interval.high]
            axes.plot(ends, [row, row], color=color, linewidth=2.4, solid_capstyle="butt", zorder=3)
        axes.plot(100 * one.difference, row, "o", color=color, markersize=7, zorder=4)
        axes.text(
            1.02, row, f"{difference(one)}  {one.call}",
            transform=axes.get_yaxis_transform(), va="center", fontsize=9, color=color,
        )  # fmt: skip
    axes.axvline(0, color=INK, linewidth=1, zorder=2)
    axes.set_yticks(rows, [f"{one.before_name} → {one.after_name}\n{one.label}" for one in found])
    axes.set_ylim(-0.6, len(found) - 0.4)
    axes.set_xlabel("difference in percentage points (shaded: below the minimal detectable effect)")
    return svg_of(figure)


def slices(report: Report, form: str) -> str:
    """Rates at the endpoint by slice, one mark a model, with Wilson intervals."""
    shown = [one for one in report.slices if one.form == form]
    names = list(dict.fromkeys(one.slice for one in shown))
    subjects = list(dict.fromkeys(one.subject for one in shown))
    figure, axes = figure_of(len(names) * (0.22 * len(subjects) + 0.3) + 1.1, left=0.24, right=0.97)
    for place, name in enumerate(reversed(names)):
        if place % 2:
            axes.axhspan(place - 0.5, place + 0.5, color="#f6f8fa", zorder=0)
        for one in (one for one in shown if one.slice == name):
            order = subjects.index(one.subject)
            at = place + 0.66 * ((len(subjects) - 1) / 2 - order) / max(len(subjects), 1)
            _mark(axes, one, at, MODELS[order % len(MODELS)], report)
    sizes = {one.slice: f"{one.slice}\n{one.n} items, {one.clusters} clusters" for one in shown}
    axes.set_yticks(range(len(names)), [sizes[name] for name in reversed(names)])
    axes.set_ylim(-0.5, len(names) - 0.5)
    axes.set_xlim(-2, 102)
    axes.set_xlabel(f"{report.endpoint}, % ({form})")
    legend(axes, subjects)
    return svg_of(figure)


def endings(rates: Sequence[Rates]) -> str:
    """How answers ended: by the model itself, by a stop string, or cut off."""
    figure, axes = figure_of(len(rates) * _ROW + 0.9, left=0.24, right=0.97)
    rows = list(range(len(rates)))[::-1]
    stopped = [100 * one.stopped.rate for one in rates]
    cut = [100 * one.truncated.rate for one in rates]
    rest = [max(0.0, 100 - one - two) for one, two in zip(stopped, cut, strict=True)]
    left = [0.0] * len(rates)
    for values, color, label in (
        (stopped, "#2f6fb0", "stopped by itself"),
        (rest, "#b9c6d3", "stop string"),
        (cut, "#d9a066", "cut off at the limit"),
    ):
        if any(value > 0 for value in values):
            axes.barh(rows, values, left=left, height=0.6, color=color, label=label)
        left = [one + two for one, two in zip(left, values, strict=True)]
    axes.set_yticks(rows, [f"{one.subject} ({one.form})" for one in rates])
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of answers")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1.0), ncols=3, frameon=False, fontsize=9)
    return svg_of(figure)


def lengths(results: dict[tuple[str, str], list[Result]], endpoint: str) -> str:
    """Tokens of each answer: passing ones above the line, failing ones below it.

    Bars are as high as the square root of their counts, or rare lengths would not be seen.
    """
    figure, axes = figure_of(len(results) * 0.62 + 0.9, left=0.24, right=0.97)
    rows = list(range(len(results)))[::-1]
    most = max(len(answers) for answers in results.values())
    for row, answers in zip(rows, results.values(), strict=True):
        for right, side, color in ((True, 1, "#1b7f4b"), (False, -1, "#b3261e")):
            chosen = [r.tokens for r in answers if getattr(r, endpoint) == right]
            counts = {tokens: chosen.count(tokens) for tokens in sorted(set(chosen))}
            heights = [side * 0.42 * (count / most) ** 0.5 for count in counts.values()]
            axes.bar(list(counts), heights, bottom=row, width=0.8, color=color, zorder=3)
        axes.axhline(row, color=MUTED, linewidth=0.6)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_yticks(rows, [f"{subject} ({form})" for subject, form in results])
    axes.set_ylim(-0.6, len(results) - 0.4)
    axes.set_xlabel("generated tokens (above the line: passing answers, below it: failing ones)")
    return svg_of(figure)


def _mark(axes: Any, one: Rates, at: float, color: str, report: Report) -> None:
    found = one.of(report.endpoint)
    ends = [100 * found.interval.low, 100 * found.interval.high]
    axes.plot(ends, [at, at], color=color, linewidth=2, solid_capstyle="butt", zorder=3)
    axes.plot(100 * found.rate, at, "o", color=color, markersize=5.5, zorder=4)


def legend(axes: Any, subjects: Sequence[str]) -> None:
    """Name the models by their colours, above the plot on the right."""
    marks = [
        matplotlib.lines.Line2D(
            [], [], color=MODELS[order % len(MODELS)], marker="o", linewidth=2, label=name
        )
        for order, name in enumerate(subjects)
    ]
    axes.legend(
        handles=marks, loc="lower right", bbox_to_anchor=(1, 1.0), ncols=6,
        frameon=False, fontsize=9,
    )  # fmt: skip
