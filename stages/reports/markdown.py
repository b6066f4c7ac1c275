"""The report as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cleanguard.report.escaping import code_for_markdown, for_markdown
from stages.comparing.comparison import Comparison
from stages.reports.model import Rates, Report
from stages.reports.words import detectable, difference, odds, percent, probability, with_interval
from stages.statistics.cohens_h import size_of


def as_markdown(report: Report) -> str:
    """The whole report as Markdown text."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# Evaluation: {for_markdown(report.suite)}"
    yield ""
    yield for_markdown(report.about)
    if report.meaning == "contaminated":
        yield "Passing speaks against a clean base here."
    yield f"{report.n} items in {report.clusters} clusters; endpoint: {report.endpoint}; {report.created}."
    yield ""
    yield from (f"> **Note:** {for_markdown(warning)}" for warning in report.warnings)
    if report.gate:
        yield f"> **{for_markdown(report.gate.words)}**"
    yield ""
    for title, found in (
        ("Comparisons", report.primary),
        ("Against the earlier run", report.earlier),
    ):
        if found:
            yield f"## {title}"
            yield ""
            yield from (
                f"- {for_markdown(one.label)}: {for_markdown(one.verdict)}" for one in found
            )
            yield ""
            yield from _comparisons(found)
    yield "## Rates"
    yield ""
    yield from _rates(report.rates)
    if report.pass_at_k:
        yield "## pass@k"
        yield ""
        yield from table_lines(
            ("model", "form", "k", "rate"),
            [(one.subject, one.form, str(one.k), percent(one.rate)) for one in report.pass_at_k],
        )
    if report.secondary:
        yield "## The other endpoint"
        yield ""
        yield from _comparisons(report.secondary)
    if report.by_slice:
        yield "## Slices"
        yield ""
        yield "Exploratory: p values are adjusted by Benjamini and Hochberg over all of these rows."
        yield ""
        yield from _comparisons(report.by_slice)
    yield "## Length"
    yield ""
    yield from _lengths(report)
    if report.examples:
        yield "## Examples"
        yield ""
        for example in report.examples:
            yield f"**{for_markdown(example.item)}** (gold: {for_markdown(', '.join(example.gold))})"
            yield from (
                f"- {for_markdown(name)} {'✓' if right else '✗'}: {code_for_markdown(repr(text))}"
                for name, text, right in example.answers
            )
            yield ""
    yield "## Provenance"
    yield ""
    yield from provenance_lines(report)


def _comparisons(found: Sequence[Comparison]) -> Iterator[str]:
    header = (
        "comparison", "what", "n (clusters)", "difference, points", "gained / lost", "p clustered",
        f"p {found[0].correction}", "p McNemar", "Cohen's h", "odds ratio", "MDE, points", "call",
    )  # fmt: skip
    rows = [
        (
            f"{one.before_name} → {one.after_name}",
            one.label,
            f"{one.n} ({one.clusters})",
            difference(one),
            f"{one.counts.gained} / {one.counts.lost}",
            probability(one.test.p),
            probability(one.p),
            probability(one.mcnemar_p),
            f"{one.h:+.2f} {size_of(one.h)}",
            odds(one),
            detectable(one),
            one.call,
        )
        for one in found
    ]
    yield from table_lines(header, rows)


def _rates(found: Sequence[Rates]) -> Iterator[str]:
    header = (
        "model", "form", "n (clusters)", "strict", "content", "stopped", "truncated",
        "tokens, mean", "median", "control tokens",
    )  # fmt: skip
    rows = [
        (
            one.subject,
            one.form,
            f"{one.n} ({one.clusters})",
            with_interval(one.strict),
            with_interval(one.content),
            percent(one.stopped.rate),
            percent(one.truncated.rate),
            f"{one.mean_tokens:.1f}",
            f"{one.median_tokens:g}",
            str(one.control_tokens),
        )
        for one in found
    ]
    yield from table_lines(header, rows)


def _lengths(report: Report) -> Iterator[str]:
    rows = []
    for one in report.lengths:
        found = one.found
        if found is None:
            rows.append((one.subject, one.form, "all verdicts are the same", "", "", "", ""))
            continue
        side = "up to" if found.shorter_passes else "above"
        rows.append(
            (
                one.subject,
                one.form,
                f"{found.area:.2f} [{found.interval.low:.2f}, {found.interval.high:.2f}]",
                f"{side} {found.threshold:g} tokens",
                with_interval(found.accuracy),
                percent(found.majority),
                "yes" if found.predicts else "no",
            )
        )
    yield "Could the verdicts be told from the number of tokens alone?"
    yield ""
    yield from table_lines(
        ("model", "form", "area under the curve", "best cut", "it gets right", "guessing", "predicts"),
        rows,
    )  # fmt: skip


def provenance_lines(report: Any) -> Iterator[str]:
    """The sources of a report, its overlap with training data, its gate and its notice."""
    rows = [
        (
            name,
            source.model_id,
            (source.revision or "local")[:12],
            source.dtype,
            source.quantization,
            (source.model.weights.digest[:12] if source.model.weights else "unknown"),
            " + ".join(
                adapter.weights.digest[:12] if adapter.weights else "unknown"
                for adapter in source.adapters
            )
            or "none",
            source.tokenizer.digest[:12],
            source.loader_version[:8],
        )
        for name, source in report.sources.items()
    ]
    yield from table_lines(
        ("model", "id", "revision", "dtype", "quantization", "weights", "adapter", "tokenizer", "guard"),
        rows,
    )  # fmt: skip
    if report.overlap is None:
        yield "Overlap with training data: not checked (no training data was named)."
    else:
        yield (
            f"Overlap with training data: {report.overlap.count} of {report.overlap.checked} items "
            f"in {for_markdown(', '.join(report.overlap.files))}."
        )
    if report.session_gate is not None:
        gate = report.session_gate
        yield f"Session gate: [{'go' if gate.go else 'no-go'}]({gate.link}), {gate.created}."
        yield from (
            f"- {for_markdown(one.name)}: {for_markdown(one.verdict)}; {for_markdown(one.detail)}"
            for one in gate.checks
        )
        yield ""
    if report.notice is not None:
        yield f"[Methodology Change Notice]({report.notice})"


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table and the empty line behind it."""
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(map(for_markdown, row))} |"
    yield ""
