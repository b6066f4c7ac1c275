from __future__ import annotations

import copy
from typing import Any

import pytest

from guard.loading.padding import settle_padding


@pytest.mark.parametrize("tokens", [["<pad>"], ["<|finetune_right_pad_id|>"], []])
def test_a_spare_token_is_taken_where_there_is_one(raw: tuple[Any, Any], tokens: list[str]) -> None:
    tokenizer = copy.deepcopy(raw[1])
    tokenizer.add_tokens(tokens)
    size = len(tokenizer)
    found = settle_padding(tokenizer, "left", rows=size)
    expected = tokens[0] if tokens else "<|endoftext|>"
    assert found.token == tokenizer.pad_token == expected
    assert found.distinct_from_eos is bool(tokens)
    assert len(tokenizer) == size


def test_a_token_beyond_the_embedding_is_not_taken(raw: tuple[Any, Any]) -> None:
    tokenizer = copy.deepcopy(raw[1])
    rows = len(tokenizer)
    tokenizer.add_tokens(["<pad>"])
    tokenizer.pad_token = "<pad>"
    assert settle_padding(tokenizer, "left", rows).id == tokenizer.eos_token_id
