"""What all plots share: colours, a bare figure with margins in inches, and its SVG."""

from __future__ import annotations

import io
from typing import Any

from cleanguard.report.escaping import printable
from cleanguard.secrets.redaction import redact_formats
from stages.reports._libraries import Figure, matplotlib

INK, MUTED, GRID = "#1f2933", "#66727f", "#e3e8ed"
MODELS = ("#5b6b7b", "#2f6fb0", "#c06a1b", "#7a4ea3", "#1b7f4b", "#a3345f")
WIDTH, NARROW = 9.6, 4.2  # inches; narrow is for a phone


def figure_of(height: float, *, left: float, right: float) -> tuple[Any, Any]:
    """A figure whose margins above and below are the same in inches at every height."""
    height = max(height, 1.5)
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((left, 0.55 / height, right - left, 1 - 0.9 / height))
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(length=0, labelsize=9, colors=INK)
    axes.xaxis.label.set(fontsize=9, color=MUTED)
    axes.grid(axis="x", color=GRID, linewidth=0.8, zorder=0)
    axes.set_axisbelow(True)
    return figure, axes


def label(text: str) -> str:
    """A name as a plot shows it: on one line, without secrets and what fonts cannot draw."""
    return printable(redact_formats(text))


def svg_of(figure: Any) -> str:
    """The figure as an SVG element; the same figure gives the same text."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "cleanguard"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
