"""Finds what keeps a file from being proven, so that the rest can be rewritten."""

from __future__ import annotations

from collections.abc import Callable

from codemods.plan.planned import Migration

_MOST_TRIES = 20


def rescued(
    refused: Migration,
    attempt: Callable[[frozenset[tuple[str, int]]], Migration],
    settles: Callable[[Migration], bool],
) -> Migration | None:
    """The plan that leaves as few findings as can be found, None where leaving some does not help.

    Args:
        refused: The plan that could not be proven.
        attempt: Plans the file without the findings that are given by code and row.
        settles: Whether a second run would change nothing.
    """
    findings = list(dict.fromkeys((site.code, site.row) for site in refused.automatic))
    if len(findings) > _MOST_TRIES:
        return None
    for one in findings:
        found = attempt(frozenset([one]))
        if found.refusal is None and found.changed and settles(found):
            return found
    # More than one stands in the way: take what can be proven, one after the other.
    left = frozenset(findings)
    best: Migration | None = None
    for one in findings:
        found = attempt(left - {one})
        if found.refusal is None:
            left -= {one}
            best = found if found.changed else best
    return best if best is not None and settles(best) else None


def left_whole(
    refused: Migration, attempt: Callable[[frozenset[tuple[str, int]]], Migration]
) -> Migration | None:
    """The plan that leaves every finding whose rewrite cannot be proven; None where one is rewritten all the same.

    It is for a file that an earlier run has rewritten as far as it could: what that left, this leaves too.

    Args:
        refused: The plan that could not be proven.
        attempt: Plans the file without the findings that are given by code and row.
    """
    found = attempt(frozenset((site.code, site.row) for site in refused.automatic))
    return found if found.refusal is None and not found.changed else None
