"""Heads that share keys attend together, to the same sum as the library's own attention."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM
from transformers.integrations import sdpa_attention

from guard import Loaded
from guard.decoding import attention


@pytest.mark.parametrize(
    ("queries", "heads", "mask"),
    [
        pytest.param(1, 4, True, id="one query with a mask, packed"),
        pytest.param(1, 4, False, id="no mask"),
        pytest.param(1, 2, True, id="no shared keys"),
        pytest.param(3, 4, True, id="several queries"),
    ],
)
def test_it_is_the_librarys_sum(queries: int, heads: int, mask: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    query = torch.randn(2, heads, queries, 8, generator=draw)
    key, value = (torch.randn(2, 2, 5, 8, generator=draw) for _ in range(2))
    seen = torch.ones(2, 1, queries, 5, dtype=torch.bool)
    seen[0, ..., :2] = False
    module = torch.nn.Module()
    module.num_key_value_groups = heads // 2
    module.is_causal = False
    given = (module, query, key, value, seen if mask else None)
    ours, none = attention._attend(*given, scaling=0.3)
    theirs = sdpa_attention.sdpa_attention_forward(*given, scaling=0.3)[0]
    assert none is None
    torch.testing.assert_close(ours, theirs)


def test_a_model_is_switched_for_the_block_alone(
    tiny: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = torch.tensor([[5, 6, 7]])
    before = tiny.model(ids).logits
    monkeypatch.delattr(sdpa_attention, "pack_gqa", raising=False)
    attention._register.cache_clear()
    try:
        with attention.packed_heads(tiny.model):
            assert tiny.model.config._attn_implementation == "cleanguard_packed"
            torch.testing.assert_close(tiny.model(ids).logits, before)
        assert tiny.model.config._attn_implementation == "sdpa"
    finally:
        attention._register.cache_clear()


def test_where_the_library_packs_itself_and_without_sdpa_nothing_is_switched(
    tiny: Loaded, monkeypatch: pytest.MonkeyPatch, tiny_dir: Any
) -> None:
    monkeypatch.setattr(sdpa_attention, "pack_gqa", None, raising=False)
    attention._register.cache_clear()
    try:
        with attention.packed_heads(tiny.model):
            assert tiny.model.config._attn_implementation == "sdpa"
    finally:
        attention._register.cache_clear()
    eager = AutoModelForCausalLM.from_pretrained(tiny_dir, attn_implementation="eager")
    with attention.packed_heads(eager):
        assert eager.config._attn_implementation == "eager"
