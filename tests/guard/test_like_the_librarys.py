"""A refusal is caught by what catches the library's error in the same case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from guard import CleanModelLoader, errors
from guard.decoding.failures import forward_failures

NONE = torch.zeros(1, 0, dtype=torch.int64)
BEYOND = torch.tensor([[10**6]])


def _kind(call: Callable[[], Any]) -> type[Exception]:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is the question
        call()
    return caught.type


@pytest.mark.parametrize(
    ("ids", "ours"),
    [
        (NONE, errors.EmptyPromptError),
        (NONE.float(), errors.EmptyPromptError),  # what a tokenizer without BOS makes of ""
        (BEYOND, errors.UnknownIdsError),
    ],
)
def test_ids(raw: Any, tiny: Any, ids: torch.Tensor, ours: type[Exception]) -> None:
    model, _ = raw
    said: dict[str, Any] = {"max_new_tokens": 2, "do_sample": False, "pad_token_id": 0}
    theirs = _kind(lambda: model.generate(ids, attention_mask=torch.ones_like(ids), **said))
    assert issubclass(ours, theirs)
    with pytest.raises(ours):
        CleanModelLoader.generate_ids(tiny.model, ids, max_new_tokens=2)


@pytest.mark.parametrize(
    ("ids", "ours"),
    [
        ([1] * 20, errors.TruncatedPromptError),
        ([60], errors.BrokenLookupError),
    ],
)
def test_tables_of_a_model(ids: list[int], ours: type[Exception]) -> None:
    config = GPT2Config(
        n_positions=16, n_embd=8, n_layer=1, n_head=1, vocab_size=50, bos_token_id=0, eos_token_id=0
    )
    model = GPT2LMHeadModel(config).eval()
    assert issubclass(ours, _kind(lambda: model(torch.tensor([ids]))))
    if ours is errors.BrokenLookupError:
        with pytest.raises(ours, match="IndexError"), forward_failures():
            model(torch.tensor([ids]))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (RuntimeError, errors.BrokenPassError),
        (ValueError, errors.BrokenValueError),
        (KeyError, errors.BrokenModelError),
    ],
)
def test_a_pass_that_fails(theirs: type[Exception], ours: type[Exception]) -> None:
    class Broken(torch.nn.Module):  # type: ignore[misc]
        def forward(self) -> None:
            raise theirs("shape")

    with pytest.raises(errors.BrokenModelError, match="shape") as caught, forward_failures():
        Broken()()
    assert caught.type is ours
