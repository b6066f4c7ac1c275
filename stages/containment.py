"""Texts that stand inside longer ones word for word: an evaluation item within a training row, or the other way."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

_WORD = re.compile(r"\w+")
# Fewer words than this stand inside many texts by chance.
LEAST_WORDS = 4

Words = tuple[str, ...]


def words_of(text: str) -> Words:
    """A normalised text's words; punctuation does not count."""
    return tuple(_WORD.findall(text))


def containing(rows: Iterable[str], items: Iterable[str]) -> dict[str, str]:
    """Rows that hold an item word for word, or stand inside one.

    Args:
        rows: Normalised texts of training rows.
        items: Normalised texts of evaluation items.

    Returns:
        For each such row's text one of the items' texts; equal texts count too. Time grows with the
        number of words, not with the number of pairs.
    """
    of_rows = {text: words_of(text) for text in rows}
    of_items = {text: words_of(text) for text in items}
    found = dict(_inside(of_items, of_rows))
    for item, row in _inside(of_rows, of_items):
        found.setdefault(row, item)
    return found


def _inside(small: dict[str, Words], large: dict[str, Words]) -> Iterator[tuple[str, str]]:
    """Pairs of a large text and a small one that stands in it."""
    by_start: dict[Words, list[tuple[str, Words]]] = defaultdict(list)
    for text, words in small.items():
        if len(words) >= LEAST_WORDS:
            by_start[words[:LEAST_WORDS]].append((text, words))
    for text, words in large.items():
        for at in range(len(words) - LEAST_WORDS + 1):
            for other, wanted in by_start.get(words[at : at + LEAST_WORDS], ()):
                if words[at : at + len(wanted)] == wanted:
                    yield text, other
