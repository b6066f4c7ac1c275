"""The report as one HTML file that needs nothing else: styles and plots are inside."""

from __future__ import annotations

from stages.differentiate import plots
from stages.differentiate.report import DifferentiationReport
from stages.reports import words
from stages.reports._libraries import markupsafe
from stages.reports.html import reach_of
from stages.reports.page import page


def as_html(report: DifferentiationReport) -> str:
    """The whole report as HTML text."""
    safe = markupsafe.Markup
    return page(
        "stages.differentiate",
        "differentiate.html.jinja",
        report,
        words=words,
        over=safe(plots.temperatures(report)),
        over_narrow=safe(plots.temperatures(report, narrow=True)),
        slices=safe(plots.slices(report)) if report.slices else None,
        slices_narrow=safe(plots.slices(report, narrow=True)) if report.slices else None,
        reach=reach_of(report.shifts),
    )
