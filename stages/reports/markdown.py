"""The report as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cleanguard.report.counting import counted
from cleanguard.report.escaping import code_for_markdown, for_markdown
from cleanguard.report.hidden import as_link
from stages.comparing.comparison import Comparison
from stages.reports.model import Lead, MovedItem, Report
from stages.reports.words import (
    bits,
    detectable,
    difference,
    odds,
    percent,
    probability,
    with_interval,
)
from stages.statistics.cohens_h import size_of
from stages.suites.choices import MEASURE_NAMES


def as_markdown(report: Report) -> str:
    """The whole report as Markdown text."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# Evaluation: {for_markdown(report.suite)}"
    yield ""
    yield for_markdown(report.about)
    if report.meaning == "contaminated":
        yield "Passing speaks against a clean base here."
    named = f"endpoint: {report.names[report.endpoint]}; " if report.rates else ""
    yield f"{counted(report.n, 'item')} in {counted(report.clusters, 'cluster')}; {named}{report.created}."
    yield ""
    if report.lead:
        yield from _lead(report, report.lead)
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
            yield from comparison_lines(found)
    if report.text_shifts:
        yield "## Comparisons"
        yield ""
        yield from (
            f"- {for_markdown(one.label)}: {for_markdown(one.verdict)}"
            for one in report.text_shifts
        )
        yield ""
    yield from _moved(report)
    if report.texts:
        yield "## Likelihoods"
        yield ""
        yield from _texts(report)
    if report.rates:
        yield "## Rates"
        yield ""
        yield from _rates(report)
    if report.choices:
        yield "## Every measure"
        yield ""
        yield from _choices(report)
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
        yield from comparison_lines(report.secondary)
    if report.by_slice:
        yield "## Slices"
        yield ""
        yield "Exploratory: p values are adjusted by Benjamini and Hochberg over all of these rows."
        yield ""
        yield from comparison_lines(report.by_slice)
    if report.lengths:
        yield "## Length"
        yield ""
        yield from _lengths(report)
    if report.examples:
        yield "## Examples"
        yield ""
        for example in report.examples:
            yield f"**{for_markdown(example.item)}** (gold: {for_markdown(', '.join(example.gold))})"
            yield from _answers(example.answers)
            yield ""
    yield "## Provenance"
    yield ""
    yield from provenance_lines(report)


def comparison_lines(found: Sequence[Comparison]) -> Iterator[str]:
    """Comparisons as a table."""
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


def _lead(report: Report, lead: Lead) -> Iterator[str]:
    """What the base can do and what tuning bought, before anything else."""
    yield f"**{for_markdown(lead.words)}**"
    yield ""
    yield from table_lines(
        ("model", "form", report.names[lead.weigh]),
        [(one.subject, one.form, with_interval(one.of(lead.weigh))) for one in lead.shown],
    )


def _moved(report: Report) -> Iterator[str]:
    if not report.moved:
        return
    yield "## Items gained and lost" if report.primary else "## Items missed"
    yield ""
    for part in report.moved:
        shown = "" if part.count == len(part.items) else f", {len(part.items)} shown"
        yield f"### {for_markdown(part.title)} ({part.form}): {part.count}{shown}"
        yield ""
        for one in part.items:
            yield from moved_lines(one)
        yield ""


def moved_lines(moved: MovedItem) -> Iterator[str]:
    """An item with its right answers, and below it what each model wrote."""
    yield f"- {for_markdown(moved.item)} (right: {for_markdown(', '.join(moved.gold))})"
    yield from (f"  {line}" for line in _answers(moved.answers))


def _answers(answers: Iterable[tuple[str, str, bool]]) -> Iterator[str]:
    for name, text, right in answers:
        yield f"- {for_markdown(name)} {'✓' if right else '✗'}: {code_for_markdown(repr(text))}"


def _texts(report: Report) -> Iterator[str]:
    header = (
        "model", "texts", "n (clusters)", "bits per byte", "perplexity by token", "by word", "by byte",
        "tokens", "words", "bytes", "windows",
    )  # fmt: skip
    rows = [
        (
            one.subject, one.slice or "all", f"{one.n} ({one.clusters})", bits(one.bits),
            f"{one.by_token:.4g}", f"{one.by_word:.4g}", f"{one.by_byte:.4g}", str(one.tokens),
            str(one.words), str(one.bytes), str(one.windows),
        )
        for one in (*report.texts, *report.text_slices)
    ]  # fmt: skip
    yield from table_lines(header, rows)


def _choices(report: Report) -> Iterator[str]:
    rows = [
        (
            one.subject, one.form, MEASURE_NAMES.get(one.measure, one.measure),  # type: ignore[call-overload]
            with_interval(one.rate), str(one.ties), percent(one.chance),
        )
        for one in report.choices
    ]  # fmt: skip
    yield from table_lines(("model", "form", "measure", "right", "ties", "guessing"), rows)


def _rates(report: Report) -> Iterator[str]:
    answered = report.kind == "answers"
    names = report.names
    header = ["model", "form", "n (clusters)", names["strict"], names["content"]]
    if answered:
        header += ["stopped", "truncated", "tokens, mean", "median", "control tokens"]
    rows = []
    for one in report.rates:
        row = [
            one.subject, one.form, f"{one.n} ({one.clusters})", with_interval(one.strict),
            with_interval(one.content),
        ]  # fmt: skip
        if answered:
            row += [
                percent(one.stopped.rate), percent(one.truncated.rate), f"{one.mean_tokens:.1f}",
                f"{one.median_tokens:g}", str(one.control_tokens),
            ]  # fmt: skip
        rows.append(row)
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
        yield f"[Methodology Change Notice]({as_link(report.notice)})"


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table and the empty line behind it."""
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(map(for_markdown, row))} |"
    yield ""
