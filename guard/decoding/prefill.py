"""Reads a batch's prompts in: equal ones once, a common beginning once, and little padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from guard.decoding.masks import StepMasks
from guard.decoding.prefix import shared_prefix
from guard.files.hub import torch
from guard.prompts.encoding import pad_left

if TYPE_CHECKING:
    from guard.decoding.loop import Batch
    from guard.decoding.steps import Steps

# What a pass costs beside its tokens, in tokens: launching kernels from Python.
_PASS_ON_GPU, _PASS_ON_CPU = 2048, 128


def prefill(steps: Steps, batch: Batch) -> torch.Tensor:
    """Read the prompts in; logits of the last position, of shape (rows, vocabulary)."""
    return read_in(steps, batch)[:, -1]


def read_in(steps: Steps, batch: Batch, count: int = 1) -> torch.Tensor:
    """Read the prompts in; logits of their last positions, of shape (rows, count, vocabulary)."""
    model, cache = steps.model, steps.cache
    cache.begin(len(batch.rows))
    longest = max(batch.length, *map(len, batch.rows))
    if batch.fixed:
        rows, places = batch.rows, list(range(len(batch.rows)))
    else:
        rows, places = _once(batch.rows)
    if not batch.fixed and (shared := shared_prefix(rows, count)):
        logits = _behind_prefix(steps, rows, shared, batch.pad, count)
    else:
        costs = _PASS_ON_GPU if model.device.type == "cuda" else _PASS_ON_CPU
        lengths = [len(row) for row in rows]
        cuts = [(0, len(rows))] if batch.fixed else groups(lengths, costs)
        found = [_pass(steps, rows[a:b], a, longest, batch, count) for a, b in cuts]
        logits = torch.cat(found) if len(found) > 1 else found[0]
    cache.filled = longest
    if places != list(range(len(rows))):
        at = torch.tensor(places, device=logits.device)
        cache.keep(at)
        logits = logits.index_select(0, at)
    lengths_of_all = torch.tensor([len(row) for row in batch.rows], device=model.device)
    padded = any(len(row) != longest for row in batch.rows)
    masks = StepMasks(steps.support, longest - lengths_of_all, model.dtype, padded)
    steps.begin(masks, longest, lengths_of_all)
    return logits


def _once(rows: Sequence[list[int]]) -> tuple[list[list[int]], list[int]]:
    """The different rows, longest first, and for each row its place among them."""
    different = sorted(dict.fromkeys(map(tuple, rows)), key=lambda row: -len(row))
    place = {row: at for at, row in enumerate(different)}
    return [list(row) for row in different], [place[tuple(row)] for row in rows]


def groups(lengths: Sequence[int], costs: int) -> list[tuple[int, int]]:
    """Cut falling lengths into parts to be padded each by itself: fewest tokens, a pass's costs included."""

    def cut(start: int, end: int) -> list[tuple[int, int]]:
        whole = lengths[start] * (end - start)
        best = min(
            range(start + 1, end),
            key=lambda at: lengths[start] * (at - start) + lengths[at] * (end - at),
            default=end,
        )
        if best < end:
            parts = lengths[start] * (best - start) + lengths[best] * (end - best)
            if parts + costs < whole:
                return cut(start, best) + cut(best, end)
        return [(start, end)]

    return cut(0, len(lengths))


def _pass(
    steps: Steps, rows: list[list[int]], first: int, longest: int, batch: Batch, count: int
) -> torch.Tensor:
    """Read some rows in, so that all of them end in the same slot; logits as in `read_in`."""
    model, cache = steps.model, steps.cache
    ids, mask = (
        one.to(model.device)
        for one in pad_left(rows, batch.pad, batch.length if batch.fixed else 0)
    )
    cache.first_row, cache.first_slot = first, longest - ids.shape[1]
    return _last(steps, ids, mask, (mask.cumsum(-1) - 1).clamp(min=0), count)


def _behind_prefix(
    steps: Steps, rows: list[list[int]], shared: int, pad: int, count: int
) -> torch.Tensor:
    """Read what all rows begin with in once, and then the rest of each."""
    model, cache = steps.model, steps.cache
    ids, mask = (one.to(model.device) for one in pad_left(rows, pad))
    cache.apart = True
    first = torch.tensor([rows[0][:shared]], device=model.device)
    at = torch.arange(shared, device=model.device)[None]
    _last(steps, first, torch.ones_like(first), at, 1)
    cache.place_prefix(shared, (mask == 0).sum(-1))
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    return _last(steps, ids[:, shared:], mask, positions[:, shared:], count)


def _last(
    steps: Steps, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, count: int
) -> torch.Tensor:
    more: dict[str, Any] = {"logits_to_keep": count} if steps.support.few_logits else {}
    more[steps.support.cache] = steps.cache
    found: torch.Tensor = steps.model(
        input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True,
         return_dict=True, **more,
    ).logits[:, -count:]  # fmt: skip
    # A pass of short rows has fewer positions; none of theirs is asked for.
    short = count - found.shape[1]
    return found if not short else torch.nn.functional.pad(found, (0, 0, short, 0))
