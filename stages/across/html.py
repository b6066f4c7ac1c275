"""A comparison of runs as one HTML file."""

from __future__ import annotations

from stages.across.report import ComparedRuns
from stages.reports import words
from stages.reports.html import most_of, reach_of
from stages.reports.model import Rates
from stages.reports.page import page
from stages.statistics.cohens_h import size_of


def as_html(report: ComparedRuns) -> str:
    """The whole comparison as HTML text."""
    sliced: dict[str, list[Rates]] = {}
    for one in report.slices:
        sliced.setdefault(one.slice or "", []).append(one)
    names = [one.subject for one in report.rates] or [one.subject for one in report.texts]
    return page(
        "stages.across",
        "across.html.jinja",
        report,
        words=words,
        size_of=size_of,
        reach=reach_of(report.pairs),
        most_bits=max((most_of(one.bits) for one in report.texts), default=1.0),
        colors={name: at for at, name in enumerate(dict.fromkeys(names))},
        sliced=sliced,
    )
