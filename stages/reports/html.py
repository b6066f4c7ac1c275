"""The report as one HTML file that needs nothing else: styles and plots are inside."""

from __future__ import annotations

from collections.abc import Sequence

from stages.reports import plots, words
from stages.reports._libraries import markupsafe
from stages.reports.model import Report
from stages.reports.page import page
from stages.reports.results import Result
from stages.statistics.cohens_h import size_of


def as_html(report: Report, results: Sequence[Result]) -> str:
    """The whole report as HTML text.

    Args:
        report: The report.
        results: The answers, for the plot of their lengths.
    """
    by_model: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        by_model.setdefault((result.subject, result.form), []).append(result)
    forms = list(dict.fromkeys(one.form for one in report.slices))
    compared = [*report.primary, *report.earlier]
    names = {one.subject for one in report.rates}
    asked = {form: {one.subject for one in report.rates if one.form == form} for form in forms}
    safe = markupsafe.Markup
    return page(
        "stages.reports",
        "report.html.jinja",
        report,
        words=words,
        size_of=size_of,
        forest=safe(plots.forest(compared)) if compared else None,
        slice_plots=[(form, safe(plots.slices(report, form))) for form in forms],
        compared_forms=[form for form in forms if asked[form] == names],
        endings=safe(plots.endings(report.rates)),
        lengths=safe(plots.lengths(by_model, report.endpoint)),
    )
