"""How far two paths agree: identical answers with an interval, where they part, and a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stages.equivalence.old_path import Generated
from stages.statistics.errors import StatisticsError
from stages.statistics.wilson import Proportion, wilson_of

Call = Literal["equivalent", "different", "undetermined"]


@dataclass(frozen=True, slots=True)
class Parting:
    """Where two answers to one prompt part: the position, and the ids there (None: it had ended)."""

    at: int
    old: int | None
    new: int | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """The comparison of two paths.

    Attributes:
        prompts: Share of prompts that became the same ids.
        answers: Share of answers that are the same ids.
        verdicts: Share of items with the same verdict at the endpoint.
        partings: For each answer that differs, where.
        common: The commonest pairs of ids at a parting, with their counts.
        call: `equivalent` if the interval of `answers` lies above 1 - margin, `different` if it lies
            below, else `undetermined`.
    """

    prompts: Proportion
    answers: Proportion
    verdicts: Proportion
    partings: tuple[Parting, ...]
    common: tuple[tuple[int | None, int | None, int], ...]
    call: Call


def agreement_of(
    old: Sequence[Generated],
    new: Sequence[Generated],
    same_verdict: Sequence[bool],
    clusters: Sequence[str],
    margin: float,
) -> Agreement:
    """Compare two paths over the same prompts in the same order.

    Args:
        old, new: What each path made of them.
        same_verdict: Whether both answers to a prompt have the same verdict.
        clusters: The cluster key of each prompt.
        margin: Share of answers that may differ.

    Raises:
        StatisticsError: There are no prompts, or not as many on both sides.
    """
    if not len(old) == len(new) == len(same_verdict) == len(clusters):
        raise StatisticsError(f"{len(old)} old answers and {len(new)} new ones are no pairs")
    pairs = list(zip(old, new, strict=True))
    partings = tuple(_parting(a.ids, b.ids) for a, b in pairs if a.ids != b.ids)
    answers = wilson_of([a.ids == b.ids for a, b in pairs], clusters)
    interval, least = answers.interval, 1 - margin
    common = Counter((one.old, one.new) for one in partings).most_common(10)
    return Agreement(
        prompts=wilson_of([a.prompt_ids == b.prompt_ids for a, b in pairs], clusters),
        answers=answers,
        verdicts=wilson_of(same_verdict, clusters),
        partings=partings,
        common=tuple((first, second, count) for (first, second), count in common),
        call="equivalent"
        if interval.low >= least
        else "different"
        if interval.high < least
        else "undetermined",
    )


def _parting(old: tuple[int, ...], new: tuple[int, ...]) -> Parting:
    at = next(
        (at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b),
        min(len(old), len(new)),
    )
    return Parting(at, old[at] if at < len(old) else None, new[at] if at < len(new) else None)
