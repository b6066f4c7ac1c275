"""Tries the fixed buffers on a loaded model, once: they must give what the library's own cache gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guard.base.caches import cache_of
from guard.decoding.loop import Batch
from guard.decoding.prefill import prefill
from guard.decoding.steps import Capture, Steps, rounded
from guard.decoding.support import NoRoad, Support
from guard.files.hub import torch
from guard.prompts.encoding import pad_left

if TYPE_CHECKING:
    from collections.abc import Iterator

_STEPS = 2  # the second one is a replay of what the first one captured
_SHORT, _LONGEST_WINDOW = 9, 64
# Relative to the length of the logits: a wrong mask is off by far more, rounding by far less.
_APART = {"torch.float32": 1e-3, "torch.float64": 1e-6}
_APART_HALF = 0.1


def prove(model: Any, support: Support, capture: Capture | None) -> None:
    """Compare two padded rows, prompt and steps, with the library's own way.

    Raises:
        NoRoad: The logits differ, or the model does not take such a cache or masks.
    """
    reach = support.reach if support.reach <= _LONGEST_WINDOW else 0
    length = max(_SHORT, reach + 3)
    try:
        vocabulary = model.get_input_embeddings().weight.shape[0]
        row = [(7 * at + 3) % vocabulary for at in range(length)]
        rows = [row, row[: length // 2]]
        theirs = list(_theirs(model, support.cache, rows))
        ours = list(_ours(model, support, capture, rows, [tokens for _, tokens in theirs]))
    except (
        TypeError,
        ValueError,
        AttributeError,
        KeyError,
        IndexError,
        NotImplementedError,
    ) as error:
        raise NoRoad(f"it does not take the buffers ({type(error).__name__}: {error})") from error
    most = _APART.get(str(model.dtype), _APART_HALF)
    for (expected, _), found in zip(theirs, ours, strict=True):
        apart = (found - expected).norm(dim=-1) / expected.norm(dim=-1).clamp(min=1e-6)
        if not bool((apart <= most).all()):
            raise NoRoad(f"its logits are off by {float(apart.max()):.2g} over fixed buffers")


def _theirs(
    model: Any, cache: str, rows: list[list[int]]
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Logits and the next tokens, as the library has them."""
    ids, mask = (one.to(model.device) for one in pad_left(rows, 0))
    positions, past = (mask.cumsum(-1) - 1).clamp(min=0), None
    for step in range(_STEPS + 1):
        out = model(
            input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True,
            return_dict=True, **{cache: past},
        )  # fmt: skip
        logits = out.logits[:, -1].float()
        ids, past = logits.argmax(-1, keepdim=True), cache_of(out)
        yield logits, ids
        if step < _STEPS:
            mask = torch.cat([mask, torch.ones_like(ids)], 1)
            positions = mask.sum(-1, keepdim=True) - 1


def _ours(
    model: Any,
    support: Support,
    capture: Capture | None,
    rows: list[list[int]],
    tokens: list[torch.Tensor],
) -> Iterator[torch.Tensor]:
    steps = Steps(model, support, len(rows), rounded(len(rows[0]) + _STEPS), capture)
    yield prefill(steps, Batch(rows, _STEPS + 1, frozenset(), 0)).float()
    for left in range(_STEPS, 0, -1):
        steps.feed(tokens[_STEPS - left])
        yield steps.step(left, chooses=False).float().clone()
