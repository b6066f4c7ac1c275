"""Measures what a comparison of runs says, and writes it: text, Markdown, JSON, HTML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanguard.report.escaping import for_markdown
from guard.provenance.record import utc_now
from stages.across.systems import Runs, System
from stages.comparing.comparison import Comparison, compare
from stages.comparing.judging import adjust
from stages.comparing.plan import Plan
from stages.comparing.ratios import RatioShift, adjust_ratios
from stages.reports.markdown import comparison_lines, moved_lines, table_lines
from stages.reports.measure import by_slice, paired, rates_of, verdict
from stages.reports.model import ENDPOINT_NAMES, Moved, MovedItem, Rates, TextRates
from stages.reports.moved import written
from stages.reports.results import Result
from stages.reports.scored import shift_of, text_rates
from stages.reports.words import bits, percent, with_interval
from stages.suites.choices import MEASURE_NAMES, measures_of
from stages.suites.item import Endpoint, Kind, Measure

SCHEMA = "cleanguard-comparison/1"


@dataclass(frozen=True, slots=True)
class ComparedRuns:
    """A comparison of runs.

    Attributes:
        suite, kind: Of the items.
        endpoint: The verdict that counts.
        names: What the two verdicts are called.
        words: What it comes to, in a sentence.
        rates: Each system, in the order of the runs; `subject` is its short name.
        slices: The same by slice, where there are several.
        texts: Likelihoods, for texts.
        pairs: The comparisons, corrected by Holm over all of them.
        shifts: The same for texts.
        moved: Items gained and lost between them.
        warnings: What a reader should know first.
        files: The results that were read.
        settings: What was asked for.
        plan: Levels.
        created: UTC time, ISO 8601.
    """

    suite: str
    kind: Kind
    endpoint: Endpoint
    names: dict[Endpoint, str]
    words: str
    rates: tuple[Rates, ...]
    slices: tuple[Rates, ...]
    texts: tuple[TextRates, ...]
    pairs: tuple[Comparison, ...]
    shifts: tuple[RatioShift, ...]
    moved: tuple[Moved, ...]
    warnings: tuple[str, ...]
    files: tuple[Path, ...]
    settings: dict[str, Any]
    plan: Plan
    created: str


def compare_runs(
    runs: Runs, endpoint: Endpoint, plan: Plan, moved: int, measure: Measure = "per_byte"
) -> ComparedRuns:
    """Compare runs.

    Args:
        runs: What `read_runs` read.
        endpoint: The verdict that counts; texts have none.
        plan: Levels and sizes.
        moved: Items shown of each list of gained and lost ones.
        measure: What decides between choices; the one that they were read with.
    """
    names = dict(ENDPOINT_NAMES)
    if runs.kind == "choices":
        first, second = measures_of(measure)
        names = {"strict": MEASURE_NAMES[first], "content": MEASURE_NAMES[second]}
    texts = runs.kind == "perplexity"
    answers = {(one.name, one.form): one.answers for one in runs.systems}
    pairs = () if texts else adjust(
        [compare(_paired(one, two, endpoint, names[endpoint]), plan) for one, two in runs.pairs], "holm", plan
    )  # fmt: skip
    shifts = () if not texts else adjust_ratios(
        [
            shift_of("bits per byte", (one.name, two.name), one.answers, two.answers, plan)
            for one, two in runs.pairs
        ],
        "holm",
        plan,
    )  # fmt: skip
    rates = () if texts else tuple(_rates(one, plan) for one in runs.systems)
    return ComparedRuns(
        suite=runs.suite,
        kind=runs.kind,
        endpoint=endpoint,
        names=names,
        words=_words(rates, endpoint, names, pairs, shifts),
        rates=rates,
        slices=() if texts else tuple(_slices(runs, plan)),
        texts=text_rates(answers, plan) if texts else (),
        pairs=pairs,
        shifts=shifts,
        moved=() if texts else tuple(_moved(runs, endpoint, moved)),
        warnings=runs.warnings,
        files=runs.files,
        settings={"runs": list(runs.given), "endpoint": endpoint, "alpha": plan.alpha},
        plan=plan,
        created=utc_now(),
    )


def _paired(one: System, two: System, endpoint: Endpoint, name: str) -> Any:
    shared = [item for item in one.answers if item in two.answers]
    before, after = ([side.answers[item] for item in shared] for side in (one, two))
    return paired(name, (one.name, two.name), before, after, endpoint)


def _rates(one: System, plan: Plan) -> Rates:
    return rates_of(one.name, one.form, list(one.answers.values()), plan)


def _slices(runs: Runs, plan: Plan) -> Iterator[Rates]:
    for one in runs.systems:
        parts = by_slice(list(one.answers.values()))
        if len(parts) > 1:
            for name, part in parts.items():
                yield rates_of(one.name, one.form, part, plan, name)


def _words(
    rates: tuple[Rates, ...],
    endpoint: Endpoint,
    names: dict[Endpoint, str],
    pairs: tuple[Comparison, ...],
    shifts: tuple[RatioShift, ...],
) -> str:
    calls = [one.call for one in pairs] + [one.call for one in shifts]
    called = sum(call != "undetermined" for call in calls)
    count = f"Of {len(calls)} pairs, {called} {'differs' if called == 1 else 'differ'}" if len(calls) > 1 else (
        "The two differ" if called else "No difference is shown"
    )  # fmt: skip
    if not rates:
        return f"{count}."
    best = max(rates, key=lambda one: one.of(endpoint).rate)
    worst = min(rates, key=lambda one: one.of(endpoint).rate)
    two = any(one.strict != one.content for one in rates)
    told = f" ({names[endpoint]})" if two else ""
    if best.of(endpoint).rate == worst.of(endpoint).rate:
        return (
            f"All answer the same share rightly, {percent(best.of(endpoint).rate)}{told}. {count}."
        )
    return (
        f"{best.subject} has the most right answers, {with_interval(best.of(endpoint))}; "
        f"{worst.subject} the fewest, {with_interval(worst.of(endpoint))}{told}. {count}."
    )


def _moved(runs: Runs, endpoint: Endpoint, most: int) -> Iterator[Moved]:
    if not most:
        return
    for one, two in runs.pairs:
        shared = [item for item in one.answers if item in two.answers]
        for kind, passed in (("lost", False), ("gained", True)):
            ids = [
                item
                for item in shared
                if verdict(two.answers[item], endpoint) == passed
                and verdict(one.answers[item], endpoint) != passed
            ]
            step = max(1.0, len(ids) / most)
            chosen = [ids[int(at * step)] for at in range(min(most, len(ids)))]
            if ids:
                title = f"{kind.capitalize()}: {one.name} → {two.name}"
                shown = tuple(_item(one, two, item, endpoint) for item in chosen)
                yield Moved(title, two.form, len(ids), shown, kind)


def _item(one: System, two: System, item: str, endpoint: Endpoint) -> MovedItem:
    sides: tuple[tuple[str, Result], ...] = (
        (one.name, one.answers[item]), (two.name, two.answers[item]),
    )  # fmt: skip
    gold = two.answers[item].gold or one.answers[item].gold or ("not recorded",)
    return MovedItem(
        item, gold[:4], tuple((name, written(r), verdict(r, endpoint)) for name, r in sides)
    )


def table_of(report: ComparedRuns) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The one table: a row for each system."""
    if report.kind == "perplexity":
        header = ("run", "n (clusters)", "bits per byte", "by token", "by word", "by byte")
        return header, [
            (
                one.subject, f"{one.n} ({one.clusters})", bits(one.bits), f"{one.by_token:.4g}",
                f"{one.by_word:.4g}", f"{one.by_byte:.4g}",
            )
            for one in report.texts
        ]  # fmt: skip
    other: Endpoint = "content" if report.endpoint == "strict" else "strict"
    ends = ("stopped", "tokens, mean") if report.kind == "answers" else ()
    header = ("run", "n (clusters)", report.names[report.endpoint], report.names[other], *ends)
    rows = [
        (
            one.subject, f"{one.n} ({one.clusters})", with_interval(one.of(report.endpoint)),
            with_interval(one.of(other)), percent(one.stopped.rate), f"{one.mean_tokens:.1f}",
        )
        for one in report.rates
    ]  # fmt: skip
    return header, [row[: len(header)] for row in rows]


def as_markdown(report: ComparedRuns) -> str:
    """The whole comparison as Markdown."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: ComparedRuns) -> Iterator[str]:
    yield f"# Comparison: {for_markdown(report.suite)}"
    yield ""
    yield f"**{for_markdown(report.words)}**"
    yield ""
    yield from (f"> **Note:** {for_markdown(warning)}" for warning in report.warnings)
    yield ""
    yield from table_lines(*table_of(report))
    yield "## Pairs"
    yield ""
    verdicts = [one.verdict for one in report.pairs] + [one.verdict for one in report.shifts]
    yield from (f"- {for_markdown(said)}" for said in verdicts)
    yield ""
    if report.pairs:
        yield from comparison_lines(report.pairs)
    for part in report.moved:
        yield f"### {for_markdown(part.title)}: {part.count}"
        yield ""
        for one in part.items:
            yield from moved_lines(one)
        yield ""
