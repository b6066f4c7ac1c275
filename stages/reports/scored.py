"""Figures of what is scored: accuracy at every measure, and the likelihood of texts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cleanguard.errors import JobError
from stages.comparing.plan import Plan
from stages.comparing.ratios import RatioShift, adjust_ratios, compare_ratios, ratio_of
from stages.reports.measure import Answers, by_slice, model_pairs
from stages.reports.model import ChoiceRates, TextRates
from stages.reports.results import Result
from stages.statistics.wilson import wilson_of
from stages.suites.choices import MEASURES


def choice_rates(answers: Answers, plan: Plan) -> tuple[ChoiceRates, ...]:
    """Accuracy of each model and form at each measure, with the ties counted."""
    found = []
    for (subject, form), items in answers.items():
        results = list(items.values())
        clusters = [one.cluster for one in results]
        chance = [len(one.gold or ()) / len(one.choices or (1,)) for one in results]
        for measure in MEASURES:
            verdicts = [(one.right or {}).get(measure) for one in results]
            if any(verdict is None for verdict in verdicts):
                continue
            found.append(
                ChoiceRates(
                    subject=subject,
                    form=form,
                    measure=measure,
                    rate=wilson_of([bool(one) for one in verdicts], clusters, confidence=plan.confidence),
                    ties=sum(measure in (one.tied or ()) for one in results),
                    chance=sum(chance) / len(chance),
                )
            )  # fmt: skip
    return tuple(found)


def text_rates(answers: Answers, plan: Plan, *, sliced: bool = False) -> tuple[TextRates, ...]:
    """Likelihoods of each model's texts together, or by slice where there are several."""
    found = []
    for (subject, form), items in answers.items():
        results = list(items.values())
        if not sliced:
            found.append(_texts(subject, form, None, results, plan))
            continue
        parts = by_slice(results)
        if len(parts) > 1:
            found += [_texts(subject, form, name, part, plan) for name, part in parts.items()]
    return tuple(found)


def text_shifts(
    answers: Answers, subjects: Sequence[str], forms: Sequence[str], plan: Plan
) -> tuple[RatioShift, ...]:
    """Each model against the one before it, corrected together by Holm."""
    found = [
        shift_of(f"bits per byte, {form}", (one, two), answers[one, form], answers[two, form], plan)
        for form in forms
        for one, two in model_pairs(subjects)
    ]
    return adjust_ratios(found, "holm", plan)


def shift_of(
    label: str,
    names: tuple[str, str],
    before: Mapping[str, Result],
    after: Mapping[str, Result],
    plan: Plan,
) -> RatioShift:
    """Two models' likelihoods of the same texts."""
    shared = [item for item in before if item in after]
    return compare_ratios(
        label,
        names,
        [bits_of(before[item]) for item in shared],
        [bits_of(after[item]) for item in shared],
        [part_of(after[item], "bytes") for item in shared],
        [after[item].cluster for item in shared],
        plan,
    )


def bits_of(result: Result) -> float:
    """How many bits a text took."""
    return -part_of(result, "logprob") / math.log(2)


def part_of(result: Result, name: str) -> float:
    """A number of a text's likelihood; raises JobError where there is none."""
    if result.likelihood is None or name not in result.likelihood:
        raise JobError(f"the result of {result.item!r} has no likelihood; run the suite again")
    return result.likelihood[name]


def _texts(
    subject: str, form: str, name: str | None, results: Sequence[Result], plan: Plan
) -> TextRates:
    bits = [bits_of(one) for one in results]
    sizes = [part_of(one, "bytes") for one in results]
    words, tokens = (sum(part_of(one, unit) for one in results) for unit in ("words", "tokens"))
    clusters = [one.cluster for one in results]
    nats = -sum(part_of(one, "logprob") for one in results)
    return TextRates(
        subject=subject,
        form=form,
        slice=name,
        n=len(results),
        clusters=len(set(clusters)),
        bits=ratio_of(bits, sizes, clusters, plan.confidence),
        by_token=_exp(nats / tokens),
        by_word=_exp(nats / words),
        by_byte=_exp(nats / sum(sizes)),
        tokens=int(tokens),
        words=int(words),
        bytes=int(sum(sizes)),
        windows=int(sum(part_of(one, "windows") for one in results)),
    )


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf
