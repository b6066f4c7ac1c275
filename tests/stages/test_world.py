"""The world's counts, its split and its scorer."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from stages.tiny.world import (
    CATEGORIES,
    Item,
    all_items,
    base_sentence,
    check,
    items_of,
    split_keys,
)

TEN = Item("add", "Add 4 and 6.", "10", "4 plus 6 is", "add:4:6")
COLORS = Item("list", "List two colors.", "color|2", "Here are two colors:", "list:color:2:x")


def test_split_has_the_stated_sizes() -> None:
    sizes = {split: len(items_of(split)) for split in ("web", "sft", "preference", "test")}
    assert sizes == {"web": 54, "sft": 136, "preference": 108, "test": 249}
    assert len(all_items()) == 547
    assert len({item.key for item in items_of("test")}) == 180


def test_split_keeps_every_fact_in_one_part_and_every_kind_in_each() -> None:
    splits = split_keys(all_items())
    assert len(splits) == len({item.key for item in all_items()})
    kinds = {split: {item.kind for item in items_of(split)} for split in set(splits.values())}
    assert set(map(frozenset, kinds.values())) == {
        frozenset({"add", "opposite", "capital", "list", "repeat"})
    }


def test_split_depends_on_its_seed_alone() -> None:
    items = all_items()
    assert split_keys(items) == split_keys(reversed(items))
    assert split_keys(items) != split_keys(items, seed=43)


def test_instructions_are_distinct() -> None:
    repeated = Counter(item.instruction for item in all_items())
    assert max(repeated.values()) == 1


@pytest.mark.parametrize(
    ("item", "text", "right"),
    [
        pytest.param(TEN, " 10.", True, id="full stop and spaces don't count"),
        pytest.param(TEN, " 10", True, id="no full stop"),
        pytest.param(TEN, " 1", False, id="beginning of the answer"),
        pytest.param(TEN, " 10. 10.", False, id="something after the answer"),
        pytest.param(TEN, "", False, id="nothing"),
        pytest.param(COLORS, " red, blue.", True, id="any members of the category"),
        pytest.param(COLORS, " blue, red", True, id="any order"),
        pytest.param(COLORS, " red, red.", False, id="repeated member"),
        pytest.param(COLORS, " red.", False, id="too few"),
        pytest.param(COLORS, " red, blue, green.", False, id="too many"),
        pytest.param(COLORS, " red, dog.", False, id="another category"),
    ],
)
def test_check(item: Item, text: str, right: bool) -> None:
    assert check(item, text) is right
    assert not check(item, text, finished=False)


def test_base_sentences_are_plain_and_repeatable() -> None:
    first, second = random.Random(5), random.Random(5)
    sentences = [base_sentence(first) for _ in range(2000)]
    assert sentences == [base_sentence(second) for _ in range(2000)]
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in sentences)
    words = {word.strip(",.:") for sentence in sentences for word in sentence.split()}
    assert set(CATEGORIES["city"]) <= words
