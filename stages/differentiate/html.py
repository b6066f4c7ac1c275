"""The report as one HTML file that needs nothing else: styles and plots are inside."""

from __future__ import annotations

from stages.differentiate import plots
from stages.differentiate.report import DifferentiationReport
from stages.reports import words
from stages.reports._libraries import markupsafe
from stages.reports.page import page
from stages.reports.plots import forest


def as_html(report: DifferentiationReport) -> str:
    """The whole report as HTML text."""
    safe = markupsafe.Markup
    return page(
        "stages.differentiate",
        "differentiate.html.jinja",
        report,
        words=words,
        over=safe(plots.temperatures(report)),
        slices=safe(plots.slices(report)) if report.slices else None,
        forest=safe(forest(report.shifts)),
    )
