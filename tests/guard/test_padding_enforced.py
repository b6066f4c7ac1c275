"""CG302: padding that the model would read as text, on every road."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from guard import CleanModelLoader, Loaded, unguarded
from guard.errors import PaddingError

# Rows of 3 and 2 tokens; id 0 is both the padding and the end of a text in this model.
LEFT = torch.tensor([[271, 319, 269], [0, 319, 269]])
RIGHT = torch.tensor([[271, 319, 269], [319, 269, 0]])
LEFT_MASK, RIGHT_MASK = (LEFT != 0).long(), (RIGHT != 0).long()


def generate(model: Any, ids: torch.Tensor, mask: torch.Tensor | None = None) -> Any:
    return model.generate(ids, attention_mask=mask, max_new_tokens=1)


def call(model: Any, ids: torch.Tensor, mask: torch.Tensor | None = None) -> Any:
    return model(ids, attention_mask=mask)


@pytest.mark.parametrize(
    ("road", "ids", "mask"),
    [
        pytest.param(generate, RIGHT, RIGHT_MASK, id="generate-right"),
        pytest.param(generate, RIGHT, None, id="generate-right-without-mask"),
        pytest.param(generate, LEFT, None, id="generate-left-without-mask"),
        pytest.param(call, LEFT, None, id="call-left-without-mask"),
    ],
)
def test_padding_read_as_text_is_refused(
    tiny: Loaded, road: Callable[..., Any], ids: torch.Tensor, mask: torch.Tensor | None
) -> None:
    with pytest.raises(PaddingError, match="CG302") as caught:
        road(tiny.model, ids, mask)
    assert caught.value.evidence == {"row": 1, "pad": 0}


@pytest.mark.parametrize(
    ("road", "ids", "mask"),
    [
        pytest.param(generate, LEFT, LEFT_MASK, id="generate-left"),
        pytest.param(call, LEFT, LEFT_MASK, id="call-left"),
        pytest.param(call, RIGHT, RIGHT_MASK, id="scoring-right"),
        pytest.param(call, RIGHT, None, id="scoring-right-looks-left-only"),
        pytest.param(generate, LEFT[:, 1:], None, id="nothing-padded"),
        pytest.param(generate, LEFT[1:], None, id="one-row-begins-with-a-text-end"),
        pytest.param(generate, torch.tensor([[0, 319], [0, 269]]), None, id="every-row-begins-so"),
    ],
)
def test_padding_that_does_no_harm_passes(
    tiny: Loaded, road: Callable[..., Any], ids: torch.Tensor, mask: torch.Tensor | None
) -> None:
    road(tiny.model, ids, mask)


def test_scoring_with_right_padding_gives_the_same_logits(tiny: Loaded) -> None:
    padded = tiny.model(RIGHT).logits[1, :2]
    assert torch.allclose(padded, tiny.model(RIGHT[1:, :2]).logits[0], atol=1e-5)


def test_unguarded_and_training_lift_it(fresh: Loaded) -> None:
    with unguarded(fresh.model, reason="to show the damage"):
        generate(fresh.model, RIGHT, RIGHT_MASK)
    fresh.model.train()(LEFT)


def test_a_pad_of_its_own_needs_no_mask_in_generate(
    llama_like: Callable[[bool], Path],
) -> None:
    model, tokenizer, _ = CleanModelLoader(llama_like(True)).load()
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    with pytest.raises(PaddingError):
        generate(model, torch.tensor([[1, 319, 269], [0, 1, 269]]))
