"""Plots as inline SVG: rates over the temperatures, for all items and for each slice."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

from cleanguard.report.counting import counted
from stages.differentiate.report import Cell, DifferentiationReport
from stages.reports._libraries import Figure
from stages.reports.canvas import GRID, INK, MODELS, MUTED, NARROW, WIDTH, label, svg_of
from stages.reports.plots import legend

_COLUMNS = 3
# Inches: a row of panels, and what it leaves for a title and for the axis.
_HEIGHT, _ABOVE, _BELOW = 2.3, 0.3, 0.55


def temperatures(report: DifferentiationReport, *, narrow: bool = False) -> str:
    """The rate of each model at each temperature, with Wilson intervals, all items together."""
    figure = Figure(figsize=(NARROW if narrow else WIDTH, 3.4))
    left = 0.15 if narrow else 0.07
    axes = figure.add_axes((left, 0.16, 0.97 - left, 0.72))
    _panel(axes, report, report.cells, apart=0.02 if narrow else 0.008)
    axes.set_xlabel("temperature")
    axes.set_ylabel(f"{report.endpoint}, %")
    legend(axes, report.subjects)
    return svg_of(figure)


def slices(report: DifferentiationReport, *, narrow: bool = False) -> str:
    """The same for each slice, in small panels with one scale."""
    names = list(dict.fromkeys(cell.rates.slice for cell in report.slices))
    columns = 1 if narrow else _COLUMNS
    rows = ceil(len(names) / columns)
    height = rows * _HEIGHT
    figure = Figure(figsize=(NARROW if narrow else WIDTH, height))
    for place, name in enumerate(names):
        row, column = divmod(place, columns)
        left = 0.15 if narrow else 0.07 + column * 0.31
        bottom = 1 - ((row + 1) * _HEIGHT - _BELOW) / height
        wide = 0.82 if narrow else 0.26
        axes = figure.add_axes((left, bottom, wide, (_HEIGHT - _ABOVE - _BELOW) / height))
        own = [cell for cell in report.slices if cell.rates.slice == name]
        _panel(axes, report, own, apart=0.025)
        items = own[0].rates.n // own[0].samples
        axes.set_title(
            f"{label(name or '')} ({counted(items, 'item')}, {counted(own[0].rates.clusters, 'cluster')})",
            fontsize=9, color=INK, loc="left",
        )  # fmt: skip
        if place + columns >= len(names):
            axes.set_xlabel("temperature")
        if column == 0:
            axes.set_ylabel(f"{report.endpoint}, %")
    return svg_of(figure)


def _panel(
    axes: Any, report: DifferentiationReport, cells: Sequence[Cell], *, apart: float
) -> None:
    width = max(report.temperatures) - min(report.temperatures) or 1.0
    for order, name in enumerate(report.subjects):
        own = [cell for cell in cells if cell.rates.subject == name]
        # Intervals of models with equal rates would lie on one another.
        nudge = apart * width * (order - (len(report.subjects) - 1) / 2)
        at = [cell.temperature + nudge for cell in own]
        shares = [cell.rates.of(report.endpoint) for cell in own]
        color = MODELS[order % len(MODELS)]
        axes.plot(at, [100 * one.rate for one in shares], "-o", color=color, markersize=4.5, zorder=4)  # fmt: skip
        for x, one in zip(at, shares, strict=True):
            ends = [100 * one.interval.low, 100 * one.interval.high]
            axes.plot([x, x], ends, color=color, linewidth=1.8, alpha=0.55, zorder=3)
    axes.set_xticks(report.temperatures, [f"{t:g}" for t in report.temperatures])
    room = 0.06 * width
    axes.set_xlim(min(report.temperatures) - room, max(report.temperatures) + room)
    axes.set_ylim(-3, 103)
    axes.set_yticks([0, 25, 50, 75, 100])
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(length=0, labelsize=9, colors=INK)
    axes.grid(axis="y", color=GRID, linewidth=0.8, zorder=0)
    axes.xaxis.label.set(fontsize=9, color=MUTED)
    axes.yaxis.label.set(fontsize=9, color=MUTED)
