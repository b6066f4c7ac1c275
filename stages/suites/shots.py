"""Worked examples: which ones an item is shown, and that none gives an item away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from stages.containment import containing
from stages.suites.item import Shot, SuiteItem
from stages.suites.scorers import passes
from stages.text import normalised

SHOTS = 4


@dataclass(frozen=True)
class FewShot:
    """How worked examples are chosen.

    Attributes:
        count: How many, at most.
        seed: Decides the draw.
        choice: `drawn` for each item by itself, or the `first` of the suite for all of them.
        around: The form of each example and of the request behind them.
    """

    count: int = SHOTS
    seed: int = 0
    choice: Literal["drawn", "first"] = "drawn"
    around: Literal["qa", "raw", "formatted"] = "qa"


def shots_for(item: SuiteItem, shots: Sequence[Shot], few: FewShot) -> list[Shot]:
    """The worked examples of an item.

    A draw depends on the seed, the item's id and the examples, on nothing else: not on the number of
    processes, nor on which other items are run, nor on the order of the examples.

    Left out are examples of the item's own fact, and those whose answer would pass for it: a model
    that repeats an example would pass otherwise. Choices are often the same for all items, and are not
    left out for that; that would say which one it is not.
    """
    fair = [shot for shot in shots if not _tells(item, shot)]
    if few.choice == "drawn":
        fair.sort(key=lambda shot: _lot(few.seed, item.id, shot))
    return fair[: few.count]


def leaks(items: Mapping[str, SuiteItem], shots: Mapping[str, Shot]) -> tuple[str, str] | None:
    """The first worked example that is an item, or holds one, or stands in one: both places.

    Args:
        items: By their place in the file.
        shots: By theirs.
    """
    asked = {normalised(item.prompt): where for where, item in items.items()}
    shown = {normalised(shot.prompt): where for where, shot in shots.items()}
    both = dict(containing(shown, asked))
    both |= {text: text for text in shown if text in asked}
    return next(((shown[text], asked[item]) for text, item in both.items()), None)


def _tells(item: SuiteItem, shot: Shot) -> bool:
    if shot.cluster is not None and shot.cluster == item.cluster:
        return True
    if normalised(shot.prompt) == normalised(item.prompt):
        return True
    return item.kind == "answers" and passes(item, shot.answer)


def _lot(seed: int, item: str, shot: Shot) -> str:
    return sha256(f"{seed}\0{item}\0{shot.prompt}\0{shot.answer}".encode()).hexdigest()
