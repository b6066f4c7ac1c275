"""The report as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cleanguard.report.counting import counted
from cleanguard.report.escaping import for_markdown
from stages.comparing.averaged import Shift
from stages.differentiate.report import Cell, DifferentiationReport
from stages.reports.markdown import provenance_lines, table_lines
from stages.reports.words import detectable, difference, percent, probability, with_interval


def as_markdown(report: DifferentiationReport) -> str:
    """The whole report as Markdown text."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: DifferentiationReport) -> Iterator[str]:
    yield f"# Differentiation: {for_markdown(', '.join(report.subjects))} on {for_markdown(report.suite)}"
    yield ""
    yield (
        f"{for_markdown(report.about)} {counted(report.n, 'item')} in "
        f"{counted(report.clusters, 'cluster')} ({report.form}), "
        f"{report.samples} answers each at the temperatures "
        f"{', '.join(f'{t:g}' for t in report.temperatures)}; endpoint: {report.endpoint}; "
        f"{report.created}."
    )
    yield ""
    for warning in report.warnings:
        yield f"> **Note:** {for_markdown(warning)}"
        yield ""
    yield "## What may be said"
    yield ""
    for claim in report.claims:
        yield f"- **{for_markdown(claim.words)}** {for_markdown(claim.trend_words)}".rstrip()
        yield from (
            f"  - {for_markdown(shift.label)}: {for_markdown(shift.verdict)}"
            for shift in claim.shifts
        )
    yield ""
    yield (
        "Consistent: at every temperature significant by the clustered t test after Holm's "
        "correction over all rows, upward, and not below the minimal detectable effect."
    )
    yield ""
    yield from _shifts(report.shifts)
    yield "## Rates"
    yield ""
    yield from _cells(report.cells)
    if report.by_slice:
        yield "## Slices"
        yield ""
        yield "Exploratory: p values are adjusted by Benjamini and Hochberg over all of these differences."
        yield ""
        yield from table_lines(
            ("slice", "comparison", *(f"at {t:g}" for t in report.temperatures)),
            [
                (
                    row.slice,
                    f"{row.before_name} → {row.after_name}",
                    *(f"{difference(shift)} {shift.call}" for shift in row.shifts),
                )
                for row in report.by_slice
            ],
        )
    yield "## The other endpoint"
    yield ""
    yield from _shifts(report.secondary)
    yield "## Provenance"
    yield ""
    yield from provenance_lines(report)


def _shifts(found: Sequence[Shift]) -> Iterator[str]:
    header = (
        "comparison", "what", "n (clusters)", "difference, points", "p clustered",
        f"p {found[0].correction}", "MDE, points", "call",
    )  # fmt: skip
    rows = [
        (
            f"{one.before_name} → {one.after_name}",
            one.label,
            f"{one.n} ({one.clusters})",
            difference(one),
            probability(one.test.p),
            probability(one.p),
            detectable(one),
            one.call,
        )
        for one in found
    ]
    yield from table_lines(header, rows)


def _cells(found: Sequence[Cell]) -> Iterator[str]:
    header = (
        "model", "temperature", "answers (clusters)", "strict", "content", "stopped", "truncated",
        "tokens, mean", "control tokens",
    )  # fmt: skip
    rows = [
        (
            cell.rates.subject,
            f"{cell.temperature:g}",
            f"{cell.rates.n} ({cell.rates.clusters})",
            with_interval(cell.rates.strict),
            with_interval(cell.rates.content),
            percent(cell.rates.stopped.rate),
            percent(cell.rates.truncated.rate),
            f"{cell.rates.mean_tokens:.1f}",
            str(cell.rates.control_tokens),
        )
        for cell in found
    ]
    yield from table_lines(header, rows)
