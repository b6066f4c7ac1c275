"""Builds the report of a run from its records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cleanguard.report.counting import counted
from guard.provenance.record import Provenance, utc_now
from stages.comparing.judging import adjust
from stages.comparing.plan import Plan
from stages.comparing.ratios import adjust_ratios
from stages.reports.beside import gate_words, linked, overlap_with, overlap_words, session_gate
from stages.reports.earlier import ENGINES_DIFFER, Earlier, mixed_engines
from stages.reports.lead import lead_of
from stages.reports.measure import (
    Answers,
    comparisons,
    earlier_comparisons,
    gate_of,
    length_checks,
    pass_at_ks,
    rates_of,
    slice_comparisons,
    sliced_rates,
)
from stages.reports.model import ENDPOINT_NAMES, Example, Overlap, Report, SessionGate
from stages.reports.moved import moved_of, written
from stages.reports.results import Result, pairs_of, unjudged_words
from stages.reports.scored import choice_rates, shift_of, text_rates, text_shifts
from stages.suites.item import Endpoint, Suite
from stages.suites.registry import too_few


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a report is made from, beside the results.

    Attributes:
        suite: The suite, with the items that were run.
        subjects: The models' names, in order.
        forms: The forms that every model was asked in; comparisons are made in these.
        plan: What was fixed before.
        sources: Provenance by model.
        settings: The run's configuration.
        earlier: An earlier run to compare with.
        threshold: For the gate; None without one.
        training_data: Files whose requests must not be items.
        show: How many items to show with their answers.
        moved: How many gained and lost items to show of each comparison.
        names: What the endpoints are called, where not as usual.
        gate_file, notice: What to show and link.
        folder: Where the report will lie, for its links.
    """

    suite: Suite
    subjects: tuple[str, ...]
    forms: tuple[str, ...]
    plan: Plan
    sources: dict[str, Provenance]
    settings: dict[str, Any]
    earlier: Earlier | None = None
    threshold: float | None = None
    training_data: tuple[Path, ...] = ()
    show: int = 0
    moved: int = 0
    names: Mapping[Endpoint, str] | None = None
    gate_file: Path | None = None
    notice: Path | None = None
    folder: Path | None = None


def build(results: Sequence[Result], inputs: Inputs) -> Report:
    """Measure everything that the report says.

    Raises:
        JobError: A file that it needs cannot be read, or an item has two answers.
    """
    answers: Answers = pairs_of(list(results))
    report = _frame(answers, inputs)
    if inputs.suite.kind == "perplexity":
        return _of_texts(report, answers, inputs)
    suite, plan, endpoint = inputs.suite, inputs.plan, inputs.suite.endpoint
    rates = [rates_of(*which, list(items.values()), plan) for which, items in answers.items()]
    models = (answers, inputs.subjects, inputs.forms)
    last = next(r for r in rates if (r.subject, r.form) == (inputs.subjects[-1], inputs.forms[0]))
    other: Endpoint = "content" if endpoint == "strict" else "strict"
    names = {**ENDPOINT_NAMES, **(inputs.names or {})}
    primary = adjust(comparisons(*models, endpoint, plan, names[endpoint]), "holm", plan)
    scored = suite.kind == "choices"
    return replace(
        report,
        rates=tuple(rates),
        slices=tuple(
            rate
            for which, items in answers.items()
            for rate in sliced_rates(*which, list(items.values()), plan)
        ),
        primary=primary,
        secondary=adjust(
            comparisons(*models, other, plan, names[other]), "benjamini-hochberg", plan
        ),
        by_slice=slice_comparisons(*models, endpoint, plan),
        earlier=earlier_comparisons(inputs.earlier.matches, endpoint, plan, names[endpoint])
        if inputs.earlier
        else (),
        lengths=() if scored else length_checks(answers, endpoint, plan),
        pass_at_k=pass_at_ks(results, endpoint),
        gate=None
        if inputs.threshold is None
        else gate_of(last, endpoint, inputs.threshold, suite.meaning),
        examples=_examples(answers, suite, inputs),
        names=names,
        lead=lead_of(
            answers, rates, inputs.subjects, inputs.forms, primary, plan,
            kind=suite.kind, meaning=suite.meaning, endpoint=endpoint,
        ),
        moved=moved_of(
            answers, suite, inputs.subjects, inputs.forms[0], endpoint, inputs.moved
        ),
        choices=choice_rates(answers, plan) if scored else (),
    )  # fmt: skip


def _frame(answers: Answers, inputs: Inputs) -> Report:
    """What every report says, with nothing measured yet."""
    suite = inputs.suite
    overlap = overlap_with(suite, inputs.training_data) if inputs.training_data else None
    gate = session_gate(inputs.gate_file, inputs.folder) if inputs.gate_file else None
    return Report(
        suite=suite.name,
        about=suite.about,
        endpoint=suite.endpoint,
        meaning=suite.meaning,
        n=len(suite.items),
        clusters=suite.clusters,
        rates=(),
        slices=(),
        primary=(),
        secondary=(),
        by_slice=(),
        earlier=(),
        lengths=(),
        pass_at_k=(),
        gate=None,
        overlap=overlap,
        examples=(),
        warnings=tuple(_warnings(inputs, overlap, answers, gate)),
        sources=inputs.sources,
        plan=inputs.plan,
        settings=inputs.settings,
        session_gate=gate,
        notice=linked(inputs.notice, inputs.folder) if inputs.notice else None,
        created=utc_now(),
        kind=suite.kind,
    )


def _of_texts(report: Report, answers: Answers, inputs: Inputs) -> Report:
    """The report of a suite of texts: likelihoods instead of verdicts."""
    plan = inputs.plan
    shifts = list(text_shifts(answers, inputs.subjects, inputs.forms, plan))
    if inputs.earlier:
        matched = [
            shift_of(
                f"bits per byte, {match.form}", (match.before_name, match.after_name),
                {one.item: one for one in match.before}, {one.item: one for one in match.after}, plan,
            )
            for match in inputs.earlier.matches
        ]  # fmt: skip
        shifts += adjust_ratios(matched, "holm", plan)
    return replace(
        report,
        texts=text_rates(answers, plan),
        text_slices=text_rates(answers, plan, sliced=True),
        text_shifts=tuple(shifts),
    )


def _warnings(
    inputs: Inputs, overlap: Overlap | None, answers: Answers, gate: SessionGate | None
) -> list[str]:
    found = []
    few = too_few(inputs.suite, len(inputs.suite.items), inputs.plan.minimum)
    if few:
        found.append(few)
    asked = {item.prompt for item in inputs.suite.items}
    if inputs.suite.shots and all(shot.prompt in asked for shot in inputs.suite.shots):
        found.append("no line is a worked example; items of other facts stand in for them")
    if overlap and overlap.count:
        found.append(overlap_words(overlap))
    if inputs.earlier:
        found += [f"the earlier results: {problem}" for problem in inputs.earlier.problems]
        lacking = sum(match.unmatched for match in inputs.earlier.matches)
        if lacking:
            found.append(f"left out: {counted(lacking, 'item')} that only one of the two runs has")
        if any(mixed_engines(match.before, match.after) for match in inputs.earlier.matches):
            found.append(f"the earlier results: {ENGINES_DIFFER}")
    unfit = gate and gate_words(gate, next(iter(inputs.sources.values())))
    if unfit:
        found.append(unfit)
    tied = sum(bool(r.tied) for items in answers.values() for r in items.values())
    if tied:
        found.append(
            f"{counted(tied, 'time')} several choices share the first place at some measure; there the item is "
            "wrong, where an argmax would have taken the first of them"
        )
    undecided = sum(
        r.judged["yes"] == r.judged["no"]
        for items in answers.values()
        for r in items.values()
        if r.judged
    )
    if undecided:
        found.append(
            f"the judge found both verdicts as likely {counted(undecided, 'time')}; that counts as wrong"
        )
    unjudged = unjudged_words(r for items in answers.values() for r in items.values())
    if unjudged:
        found.append(unjudged)
    emitted = sum(r.control_tokens for items in answers.values() for r in items.values())
    if emitted:
        found.append(f"the models emitted {emitted} chat control tokens")
    for name, source in inputs.sources.items():
        if source.overrides:
            found.append(f"{name} was loaded with protections off: {', '.join(source.overrides)}")
    return found


def _examples(answers: Answers, suite: Suite, inputs: Inputs) -> tuple[Example, ...]:
    form = inputs.forms[0]
    shown = suite.items[: inputs.show]
    return tuple(
        Example(
            item.prompt,
            item.gold[:4],
            form,
            tuple(
                (
                    name,
                    written(found),
                    found.strict if suite.endpoint == "strict" else found.content,
                )
                for name in inputs.subjects
                if (found := answers[name, form].get(item.id))
            ),
        )
        for item in shown
    )
