"""Attention of a single query: the heads that share keys become its rows, so no key is copied.

Newer releases of the library do this themselves. Earlier ones repeat keys and values for every
head where there is a mask, which costs a large batch most of its time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from guard.files.hub import torch
from guard.files.hub import transformers as _transformers

_NAME = "cleanguard_packed"


@contextmanager
def packed_heads(model: Any) -> Iterator[None]:
    """Inside the block a model with sdpa attends without copying keys; for capturing a step.

    Another thread that runs the model meanwhile gets the same answers: only single queries with a
    mask take another way, to the same sum.
    """
    configs = [module.config for module in model.modules() if hasattr(module, "config")]
    configs = list({id(one): one for one in configs}.values())
    mine = [one for one in configs if getattr(one, "_attn_implementation", None) == "sdpa"]
    if not mine or not _register():
        yield
        return
    for one in mine:
        one._attn_implementation = _NAME
    try:
        yield
    finally:
        for one in mine:
            one._attn_implementation = "sdpa"


@cache
def _register() -> bool:
    """Tell the library of this attention, where it has none of its own."""
    try:
        from transformers.integrations import sdpa_attention
        from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
    except ImportError:
        return False
    if hasattr(sdpa_attention, "pack_gqa"):
        return False
    _transformers.AttentionInterface.register(_NAME, _attend)
    _transformers.AttentionMaskInterface.register(_NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
    return True


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    plain = query.shape[2] != 1 or query.shape[1] == key.shape[1] or attention_mask is None
    if (
        plain
        or more.get("position_bias") is not None
        or (attention_mask is not None and attention_mask.shape[1] != 1)
    ):
        found: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **more
        )
        return found
    rows, heads, _, size = query.shape
    packed = torch.nn.functional.scaled_dot_product_attention(
        query.reshape(rows, key.shape[1], heads // key.shape[1], size),
        key,
        value,
        attn_mask=attention_mask,
        dropout_p=dropout,
        scale=scaling,
    )
    return packed.reshape(rows, 1, heads, value.shape[-1]), None
