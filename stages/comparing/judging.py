"""What every paired comparison has in common: the test on the differences, and the words for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from stages.comparing.corrections import corrected
from stages.comparing.plan import Correction, Plan
from stages.comparing.verdict import Call, call_of, verdict_of
from stages.statistics.clustered_t import ClusteredT, clustered_t
from stages.statistics.detectable import Detectable
from stages.statistics.errors import StatisticsError
from stages.statistics.interval import Interval


class _Judged(Protocol):
    """What the words of a comparison are made from."""

    @property
    def before_name(self) -> str: ...
    @property
    def after_name(self) -> str: ...
    @property
    def clusters(self) -> int: ...
    @property
    def difference(self) -> float: ...
    @property
    def interval(self) -> Interval | None: ...
    @property
    def test(self) -> ClusteredT: ...
    @property
    def p(self) -> float: ...
    @property
    def correction(self) -> Correction: ...
    @property
    def detectable(self) -> Detectable: ...
    @property
    def call(self) -> Call: ...
    @property
    def verdict(self) -> str: ...


Found = TypeVar("Found", bound=_Judged)


@dataclass(frozen=True, slots=True)
class Moves:
    """By how much each item moved, and whether the mean move is more than chance.

    Attributes:
        moves: After less before, one per item.
        test: The clustered t test on them.
        clusters: How many clusters they come in.
    """

    moves: list[float]
    test: ClusteredT
    clusters: int


def moves_of(
    label: str,
    before: Sequence[float],
    after: Sequence[float],
    clusters: Sequence[str],
    *,
    what: str,
) -> Moves:
    """Test the paired differences of two systems.

    Args:
        label: What was measured, for the error.
        before: One number per item; a verdict counts as 0 or 1.
        after: The same items, in the same order.
        clusters: The cluster key of each item.
        what: What the numbers are called in the error, such as "verdicts".

    Raises:
        StatisticsError: There are no items, or not as many numbers on both sides.
    """
    if not len(before) == len(after) == len(clusters):
        raise StatisticsError(
            f"{label}: {len(before)} {what} before, {len(after)} after, "
            f"{len(clusters)} cluster keys"
        )
    moves = [float(b) - float(a) for a, b in zip(before, after, strict=True)]
    test = clustered_t(moves, clusters)
    return Moves(moves, test, test.freedom + 1)


def judged(found: Found, p: float, correction: Correction, plan: Plan) -> Found:
    """The comparison with its corrected p value, its call and the verdict in words."""
    words = verdict_of(
        found.before_name,
        found.after_name,
        found.difference,
        found.interval,
        p,
        found.detectable,
        found.clusters,
        alpha=plan.alpha,
        minimum=plan.minimum,
    )
    call = call_of(found.difference, p, found.detectable, plan.alpha)
    return replace(found, p=p, correction=correction, call=call, verdict=words)  # type: ignore[type-var]


def adjust(
    family: Sequence[Found], correction: Correction, plan: Plan | None = None
) -> tuple[Found, ...]:
    """The comparisons with p values corrected for their number, and judged again.

    Args:
        family: One family: the primary endpoints for Holm, the slices for Benjamini-Hochberg.
        correction: Which one.
        plan: As for the comparison.
    """
    values = corrected([found.test.p for found in family], correction)
    return tuple(
        judged(found, p, correction, plan or Plan())
        for found, p in zip(family, values, strict=True)
    )
