"""The report as one HTML file that needs nothing else: styles and plots are inside."""

from __future__ import annotations

from collections.abc import Sequence

from stages.comparing.ratios import Ratio
from stages.reports import plots, words
from stages.reports._libraries import markupsafe
from stages.reports.model import Rates, Report
from stages.reports.page import page
from stages.reports.results import Result
from stages.reports.words import Difference
from stages.statistics.cohens_h import size_of
from stages.suites.choices import MEASURE_NAMES


def as_html(report: Report, results: Sequence[Result]) -> str:
    """The whole report as HTML text.

    Args:
        report: The report.
        results: The answers, for the plot of their lengths.
    """
    by_model: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        by_model.setdefault((result.subject, result.form), []).append(result)
    sliced: dict[str, dict[str, list[Rates]]] = {}
    for one in report.slices:
        sliced.setdefault(one.form, {}).setdefault(one.slice or "", []).append(one)
    names = [*(one.subject for one in report.rates), *(one.subject for one in report.texts)]
    subjects = list(dict.fromkeys(names))
    asked = {form: {one.subject for one in report.rates if one.form == form} for form in sliced}
    compared = [*report.primary, *report.earlier]
    answered = report.kind == "answers"
    lengths = markupsafe.Markup(plots.lengths(by_model, report.endpoint)) if answered else None
    return page(
        "stages.reports",
        "report.html.jinja",
        report,
        words=words,
        size_of=size_of,
        answered=answered,
        compared=compared,
        reach=reach_of(compared),
        most_bits=max((most_of(one.bits) for one in report.texts), default=1.0),
        colors={name: at for at, name in enumerate(subjects)},
        measures=MEASURE_NAMES,
        sliced=sliced,
        compared_forms=[form for form in sliced if asked[form] == set(subjects)],
        lengths=lengths,
    )


def reach_of(found: Sequence[Difference]) -> float:
    """How far the scale of the differences goes to both sides."""
    far = [abs(one.difference) for one in found]
    for one in found:
        far.append(one.detectable.effect or 0.0)
        if one.interval:
            far += [abs(one.interval.low), abs(one.interval.high)]
    return min(1.0, max([0.05, *far]) * 1.08)


def most_of(found: Ratio) -> float:
    """How far the scale of bits goes for one of them."""
    return 1.1 * (found.interval.high if found.interval else found.value)
