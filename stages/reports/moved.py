"""Items that a model gained and lost, with the right answer beside what both models wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stages.reports.measure import Answers, model_pairs, verdict
from stages.reports.model import Moved, MovedItem
from stages.reports.results import Result
from stages.suites.item import Endpoint, Suite

BASE = "base"


def moved_of(
    answers: Answers,
    suite: Suite,
    subjects: Sequence[str],
    form: str,
    endpoint: Endpoint,
    most: int,
) -> tuple[Moved, ...]:
    """What moved between each model and the one before it; for one model alone, what it missed.

    Args:
        answers: First answers by model and form.
        suite: For requests and right answers.
        subjects: The models.
        form: The form that they are compared in.
        endpoint: The verdict that counts.
        most: Items shown of each list, evenly spaced.
    """
    if not most:
        return ()
    if len(subjects) == 1:
        found = answers[subjects[0], form]
        missed = [item for item, one in found.items() if not verdict(one, endpoint)]
        shown = _items(suite, missed, None, found, endpoint, most)
        title = f"Missed by {subjects[0]}"
        return (Moved(title, form, len(missed), shown, "missed"),) if missed else ()
    parts: list[Moved] = []
    for one, two in model_pairs(subjects):
        before, after = answers[one, form], answers[two, form]
        shared = [item for item in before if item in after]
        for kind, passed in (("lost", False), ("gained", True)):
            moved = [
                item
                for item in shared
                if verdict(after[item], endpoint) == passed != verdict(before[item], endpoint)
            ]
            if moved:
                shown = _items(suite, moved, before, after, endpoint, most)
                word = "Gained" if passed else "Lost"
                parts.append(Moved(f"{word}: {one} → {two}", form, len(moved), shown, kind))
    return tuple(parts)


def _items(
    suite: Suite,
    ids: Sequence[str],
    before: Mapping[str, Result] | None,
    after: Mapping[str, Result],
    endpoint: Endpoint,
    most: int,
) -> tuple[MovedItem, ...]:
    known = {item.id: item for item in suite.items}
    step = max(1.0, len(ids) / most)
    chosen = [ids[int(at * step)] for at in range(min(most, len(ids)))]
    return tuple(
        MovedItem(
            known[item].prompt or item,
            known[item].gold[:4],
            tuple(
                (one.subject, written(one), verdict(one, endpoint))
                for one in ((before[item], after[item]) if before else (after[item],))
            ),
        )
        for item in chosen
    )


def written(result: Result) -> str:
    """What a model wrote, or which choice it found likeliest."""
    if result.choices is None:
        return result.text
    if result.text:
        return result.text
    return "several choices share the first place"
