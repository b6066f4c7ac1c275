"""Finds evaluation items in training data: the same key, the same text, or nearly the same text."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from cleanguard.errors import JobError
from cleanguard.report.counting import counted
from stages.containment import containing
from stages.jsonl import read_lines
from stages.text import normalised
from stages.tiny.world import items_of
from stages.training.config import HoldoutConfig
from stages.training.errors import TrainTestOverlapError

_TEXTS = ("instruction", "prompt", "question", "input", "text")
_KEYS = ("group", "cluster", "item_key", "key")
_SHINGLE = 5
_PERMUTATIONS = 128
_SHOWN = 5
_SLACK = 0.2
_log = logging.getLogger("cleanguard.training")


@dataclass(frozen=True, slots=True)
class Texted:
    """A record reduced to what overlap is judged by: its keys and its texts."""

    keys: frozenset[str]
    texts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Overlap:
    """What was compared and found.

    Attributes:
        against: The evaluation sets, by name.
        items: How many evaluation items there are.
        same_key, same_text: Training rows that share one with an item.
        contained: Training rows with a text that holds an item's word for word, or stands inside one.
        near: Other training rows that nearly share a text; None if that was not looked for.
        examples: A few of the texts or keys.
    """

    against: tuple[str, ...]
    items: int
    same_key: int
    same_text: int
    contained: int
    near: int | None
    examples: tuple[str, ...]


def texted(record: dict[str, Any]) -> Texted:
    """A record's keys and normalised texts, whichever of the usual fields it has."""
    return Texted(
        frozenset(record[name] for name in _KEYS if isinstance(record.get(name), str)),
        frozenset(normalised(record[name]) for name in _TEXTS if isinstance(record.get(name), str)),
    )


def refuse_overlap(rows: Sequence[dict[str, Any]], config: HoldoutConfig) -> dict[str, Any]:
    """Compare training rows with the configured evaluation items.

    Returns:
        The `Overlap` in JSON types, for the lineage.

    Raises:
        TrainTestOverlapError: A row shares a key or a text with an item, or nearly one where that
            is refused.
        JobError: An evaluation file cannot be read.
    """
    if not config.against:
        _log.warning(
            "overlap with evaluation items was not looked for; name them with holdout.against"
        )
    items = [item for name in config.against for item in _items(name)]
    keys = {key for item in items for key in item.keys}
    texts = {text for item in items for text in item.texts}
    mine = [texted(row) for row in rows]
    same_key = [row for row in mine if row.keys & keys]
    same_text = [row for row in mine if row.texts & texts]
    within = containing({t for row in mine for t in row.texts}, texts)
    contained = [row for row in mine if row.texts & within.keys() and not row.texts & texts]
    alike = _near(mine, items, config) if items and config.near != "off" else None
    told = texts | within.keys()
    near = [row for row in mine if row.texts & set(alike or ()) and not row.texts & told]
    shown = [*(min(r.keys & keys) for r in same_key), *(min(r.texts & texts) for r in same_text)]
    shown += [min(row.texts & within.keys()) for row in contained]
    found = Overlap(
        tuple(config.against), len(items), len(same_key), len(same_text), len(contained),
        None if alike is None else len(near), tuple(dict.fromkeys([*shown, *(alike or [])]))[:_SHOWN],
    )  # fmt: skip
    refused = (
        found.same_key
        + found.same_text
        + found.contained
        + (len(near) if config.near == "refuse" else 0)
    )
    if refused:
        raise TrainTestOverlapError(
            f"of {len(rows)} training rows {found.same_key} share a key and {found.same_text} a text "
            f"with the {counted(found.items, 'item')} of {', '.join(found.against)}"
            + (f", {found.contained} hold one or stand inside one" if contained else "")
            + (f", {found.near} are nearly the same" if near else "")
            + f"; such as {found.examples[0]!r}",
            evidence=asdict(found),
        )
    return asdict(found)


def _items(name: str) -> list[Texted]:
    if name == "tiny":
        return [
            Texted(frozenset({item.key}), frozenset({normalised(item.instruction), normalised(item.prompt)}))
            for item in items_of("test")
        ]  # fmt: skip
    items = [texted(record) for record in read_lines(Path(name), {})]
    if not any(item.texts or item.keys for item in items):
        raise JobError(
            f"holdout.against: {name} has none of the fields {', '.join((*_KEYS, *_TEXTS))}"
        )
    return items


def _near(rows: Sequence[Texted], items: Sequence[Texted], config: HoldoutConfig) -> list[str] | None:  # fmt: skip
    try:
        sketch: Any = import_module("datasketch")
    except ImportError:
        if config.near == "refuse":
            raise JobError(
                "holdout.near: near duplicates are found with datasketch, which is not installed"
            ) from None
        return None
    # The index only proposes; a lower threshold makes it miss none, and the texts decide.
    index = sketch.MinHashLSH(threshold=config.similarity - _SLACK, num_perm=_PERMUTATIONS)
    known: dict[str, frozenset[str]] = {}
    for number, text in enumerate(sorted({text for item in items for text in item.texts})):
        known[str(number)] = shingles(text)
        index.insert(str(number), _hashed(sketch, shingles(text)))
    found: list[str] = []
    for text in sorted({text for row in rows for text in row.texts}):
        pieces = shingles(text)
        candidates = index.query(_hashed(sketch, pieces))
        if any(jaccard(pieces, known[name]) >= config.similarity for name in candidates):
            found.append(text)
    return found


def shingles(text: str) -> frozenset[str]:
    """The runs of five characters in a normalised text."""
    return frozenset(text[at : at + _SHINGLE] for at in range(max(1, len(text) - _SHINGLE + 1)))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """How much two sets share: intersection over union."""
    return len(one & other) / len(one | other)


def _hashed(sketch: Any, pieces: Iterable[str]) -> Any:
    found = sketch.MinHash(num_perm=_PERMUTATIONS)
    found.update_batch([piece.encode() for piece in pieces])
    return found
