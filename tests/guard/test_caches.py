"""The cache of a forward pass under each of the names that releases of transformers give it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import DynamicCache

from guard import Loaded
from guard.base.caches import NAMES, cache_in, cache_of, keyword_of


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_known(name: str) -> None:
    empty = DynamicCache()  # has a length of 0, and is there all the same
    assert cache_in({"input_ids": 1, name: empty}) is empty
    assert cache_in({name: None, "use_cache": True}) is None


def test_the_installed_release_is_asked(tiny: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.utils import generic

    def warned(message: str, *_more: object) -> None:
        raise AssertionError(message)

    monkeypatch.setattr(generic.logger, "warning_once", warned)
    name = keyword_of(tiny.model)
    assert name in NAMES[:2]
    ids = tiny.tokenizer("The capital of", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        first = tiny.model(ids, use_cache=True)
        cache = cache_of(first)
        assert cache.get_seq_length() == ids.shape[1]
        again: Any = {name: cache}
        then = tiny.model(first.logits[:, -1:].argmax(-1), use_cache=True, **again)
        assert cache_of(then).get_seq_length() == ids.shape[1] + 1
    monkeypatch.undo()
    with torch.no_grad():
        assert cache_of(tiny.model(ids, use_cache=False)) is None


def test_a_model_without_an_attention_cache_has_none() -> None:
    class Plain(torch.nn.Module):
        def forward(self, input_ids: Any) -> Any:
            return input_ids

    assert keyword_of(Plain()) is None
