"""Plots as inline SVG: a forest of paired differences, and the lengths of answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stages.reports._libraries import matplotlib
from stages.reports.canvas import CALLS, INK, MODELS, MUTED, figure_of, svg_of
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
