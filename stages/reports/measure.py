"""Turns records into rates, comparisons and diagnostics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import mean, median

from stages.comparing.comparison import Comparison, Paired, compare
from stages.comparing.judging import adjust
from stages.comparing.plan import Plan
from stages.reports.earlier import Match
from stages.reports.model import Gate, LengthCheck, PassAtK, Rates
from stages.reports.results import Result
from stages.statistics.length_only import length_only
from stages.statistics.pass_at_k import mean_pass_at_k
from stages.statistics.wilson import Proportion, wilson_of
from stages.suites.item import Endpoint, Meaning

Answers = Mapping[tuple[str, str], Mapping[str, Result]]


def verdict(result: Result, endpoint: Endpoint) -> bool:
    """A result's verdict at an endpoint."""
    return result.strict if endpoint == "strict" else result.content


def rates_of(
    subject: str, form: str, results: Sequence[Result], plan: Plan, slice_name: str | None = None
) -> Rates:
    """The shares and lengths of one model's answers."""
    clusters = [result.cluster for result in results]

    def share(values: list[bool]) -> Proportion:
        return wilson_of(values, clusters, confidence=plan.confidence)

    return Rates(
        subject=subject,
        form=form,
        slice=slice_name,
        n=len(results),
        clusters=len(set(clusters)),
        strict=share([result.strict for result in results]),
        content=share([result.content for result in results]),
        stopped=share([result.stopped for result in results]),
        truncated=share([result.truncated for result in results]),
        mean_tokens=mean(result.tokens for result in results),
        median_tokens=median(result.tokens for result in results),
        control_tokens=sum(result.control_tokens for result in results),
    )


def sliced_rates(subject: str, form: str, results: Sequence[Result], plan: Plan) -> list[Rates]:
    """The same for each slice, in the order of their first items; none if there is one slice."""
    parts = by_slice(results)
    if len(parts) < 2:
        return []
    return [rates_of(subject, form, part, plan, name) for name, part in parts.items()]


def by_slice(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Results by slice."""
    parts: dict[str, list[Result]] = {}
    for result in results:
        parts.setdefault(result.slice, []).append(result)
    return parts


def model_pairs(subjects: Sequence[str]) -> list[tuple[str, str]]:
    """Each model with the one before it, and the last with the first."""
    pairs = list(pairwise(subjects))
    return [*pairs, (subjects[0], subjects[-1])] if len(subjects) > 2 else pairs


def paired(
    label: str,
    names: tuple[str, str],
    before: Sequence[Result],
    after: Sequence[Result],
    endpoint: Endpoint,
) -> Paired:
    """Two models' verdicts on the same items in the same order."""
    return Paired(
        label=label,
        before_name=names[0],
        after_name=names[1],
        before=tuple(verdict(result, endpoint) for result in before),
        after=tuple(verdict(result, endpoint) for result in after),
        clusters=tuple(result.cluster for result in after),
    )


def comparisons(
    answers: Answers,
    subjects: Sequence[str],
    forms: Sequence[str],
    endpoint: Endpoint,
    plan: Plan,
    name: str | None = None,
) -> list[Comparison]:
    """Uncorrected comparisons of the models, form by form; `name` is what the endpoint is called."""
    return [
        compare(
            paired(
                f"{name or endpoint}, {form}",
                (one, two),
                *_aligned(answers, one, two, form),
                endpoint,
            ),
            plan,
        )
        for form in forms
        for one, two in model_pairs(subjects)
    ]


def slice_comparisons(
    answers: Answers, subjects: Sequence[str], forms: Sequence[str], endpoint: Endpoint, plan: Plan
) -> tuple[Comparison, ...]:
    """The comparisons within slices, corrected together; slices are smaller by design: no CG502."""
    plan = replace(plan, minimum=0)
    found = []
    for form in forms:
        for one, two in model_pairs(subjects):
            before, after = (by_slice(part) for part in _aligned(answers, one, two, form))
            if len(before) > 1:
                found += [
                    compare(paired(f"{name}, {form}", (one, two), before[name], after[name], endpoint), plan)
                    for name in before
                ]  # fmt: skip
    return adjust(found, "benjamini-hochberg", plan)


def earlier_comparisons(
    matches: Sequence[Match], endpoint: Endpoint, plan: Plan, name: str | None = None
) -> tuple[Comparison, ...]:
    """Comparisons with an earlier run, corrected together."""
    found = [
        compare(
            paired(
                f"{name or endpoint}, {match.form}", (match.before_name, match.after_name),
                match.before, match.after, endpoint,
            ),
            plan,
        )
        for match in matches
    ]  # fmt: skip
    return adjust(found, "holm", plan)


def length_checks(answers: Answers, endpoint: Endpoint, plan: Plan) -> tuple[LengthCheck, ...]:
    """The length-only check of each model and form."""
    return tuple(
        LengthCheck(
            subject,
            form,
            length_only(
                [result.tokens for result in items.values()],
                [verdict(result, endpoint) for result in items.values()],
                [result.cluster for result in items.values()],
                confidence=plan.confidence,
            ),
        )
        for (subject, form), items in answers.items()
    )


def pass_at_ks(results: Sequence[Result], endpoint: Endpoint) -> tuple[PassAtK, ...]:
    """pass@1, pass@2, pass@4 … up to the number of samples; empty for one answer an item."""
    samples = 1 + max(result.sample for result in results)
    if samples == 1:
        return ()
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for result in results:
        items = counts.setdefault((result.subject, result.form), {})
        items[result.item] = items.get(result.item, 0) + verdict(result, endpoint)
    powers = sorted({*(2**power for power in range(samples.bit_length())), samples})
    return tuple(
        PassAtK(subject, form, k, mean_pass_at_k([(samples, c) for c in items.values()], k))
        for (subject, form), items in counts.items()
        for k in powers
        if k <= samples
    )


def gate_of(rates: Rates, endpoint: Endpoint, threshold: float, meaning: Meaning) -> Gate:
    """Go only if the interval's lower end reaches the threshold; for sentinels its upper end, from above."""
    found = rates.of(endpoint)
    low, high = found.interval.low, found.interval.high
    passed = low >= threshold if meaning == "able" else high <= threshold
    wanted = "at or above" if meaning == "able" else "at or below"
    return Gate(
        rates.subject,
        threshold,
        passed,
        f"{'Go' if passed else 'No go'}: {rates.subject} ({rates.form}) has {found.rate:.1%} "
        f"[{low:.1%}, {high:.1%}] {endpoint}; the interval must lie {wanted} {threshold:.1%}.",
    )


def _aligned(answers: Answers, one: str, two: str, form: str) -> tuple[list[Result], list[Result]]:
    before, after = answers[one, form], answers[two, form]
    shared = [item for item in before if item in after]
    return [before[item] for item in shared], [after[item] for item in shared]
