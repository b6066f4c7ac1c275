"""Builds the report of a run from its records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guard.provenance.record import Provenance, utc_now
from stages.comparing.judging import adjust
from stages.comparing.plan import Plan
from stages.reports.beside import gate_words, linked, overlap_with, overlap_words, session_gate
from stages.reports.earlier import Earlier
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
from stages.reports.model import Example, Overlap, Report, SessionGate
from stages.reports.results import Result, pairs_of
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
    gate_file: Path | None = None
    notice: Path | None = None
    folder: Path | None = None


def build(results: Sequence[Result], inputs: Inputs) -> Report:
    """Measure everything that the report says.

    Raises:
        JobError: A file that it needs cannot be read, or an item has two answers.
    """
    answers: Answers = pairs_of(list(results))
    suite, plan, endpoint = inputs.suite, inputs.plan, inputs.suite.endpoint
    rates = [rates_of(*which, list(items.values()), plan) for which, items in answers.items()]
    models = (answers, inputs.subjects, inputs.forms)
    last = next(r for r in rates if (r.subject, r.form) == (inputs.subjects[-1], inputs.forms[0]))
    other: Endpoint = "content" if endpoint == "strict" else "strict"
    overlap = overlap_with(suite, inputs.training_data) if inputs.training_data else None
    gate = session_gate(inputs.gate_file, inputs.folder) if inputs.gate_file else None
    return Report(
        suite=suite.name,
        about=suite.about,
        endpoint=endpoint,
        meaning=suite.meaning,
        n=len(suite.items),
        clusters=suite.clusters,
        rates=tuple(rates),
        slices=tuple(
            rate
            for which, items in answers.items()
            for rate in sliced_rates(*which, list(items.values()), plan)
        ),
        primary=adjust(comparisons(*models, endpoint, plan), "holm", plan),
        secondary=adjust(comparisons(*models, other, plan), "benjamini-hochberg", plan),
        by_slice=slice_comparisons(*models, endpoint, plan),
        earlier=earlier_comparisons(inputs.earlier.matches, endpoint, plan) if inputs.earlier else (),
        lengths=length_checks(answers, endpoint, plan),
        pass_at_k=pass_at_ks(results, endpoint),
        gate=None
        if inputs.threshold is None
        else gate_of(last, endpoint, inputs.threshold, suite.meaning),
        overlap=overlap,
        examples=_examples(answers, suite, inputs),
        warnings=tuple(_warnings(inputs, overlap, answers, gate)),
        sources=inputs.sources,
        plan=plan,
        settings=inputs.settings,
        session_gate=gate,
        notice=linked(inputs.notice, inputs.folder) if inputs.notice else None,
        created=utc_now(),
    )  # fmt: skip


def _warnings(
    inputs: Inputs, overlap: Overlap | None, answers: Answers, gate: SessionGate | None
) -> list[str]:
    found = []
    few = too_few(inputs.suite, len(inputs.suite.items), inputs.plan.minimum)
    if few:
        found.append(few)
    if overlap and overlap.count:
        found.append(overlap_words(overlap))
    if inputs.earlier:
        found += [f"the earlier results: {problem}" for problem in inputs.earlier.problems]
        lacking = sum(match.unmatched for match in inputs.earlier.matches)
        if lacking:
            found.append(f"{lacking} items stand in only one of the two runs and were left out")
    unfit = gate and gate_words(gate, next(iter(inputs.sources.values())))
    if unfit:
        found.append(unfit)
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
                (name, found.text, found.strict if suite.endpoint == "strict" else found.content)
                for name in inputs.subjects
                if (found := answers[name, form].get(item.id))
            ),
        )
        for item in shown
    )
