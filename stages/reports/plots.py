"""Plots as inline SVG: the lengths of answers, and the legend of the models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stages.reports._libraries import matplotlib
from stages.reports.canvas import MODELS, MUTED, figure_of, label, svg_of
from stages.reports.results import Result


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
    axes.set_yticks(rows, [label(f"{subject} ({form})") for subject, form in results])
    axes.set_ylim(-0.6, len(results) - 0.4)
    axes.set_xlabel("generated tokens (above the line: passing answers, below it: failing ones)")
    return svg_of(figure)


def _shown(name: str) -> str:
    """Some versions leave what begins with an underscore out of a legend."""
    return f" {label(name)}" if name.startswith("_") else label(name)


def legend(axes: Any, subjects: Sequence[str]) -> None:
    """Name the models by their colours, above the plot on the right."""
    marks = [
        matplotlib.lines.Line2D(
            [], [], color=MODELS[order % len(MODELS)], marker="o", linewidth=2, label=_shown(name)
        )
        for order, name in enumerate(subjects)
    ]
    axes.legend(
        handles=marks, loc="lower right", bbox_to_anchor=(1, 1.0), ncols=6,
        frameon=False, fontsize=9,
    )  # fmt: skip
