"""Log-probabilities of the last tokens of rows of ids: batched, in float32, each row once."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from guard.base.finiteness import refuse_broken
from guard.base.modes import evaluating
from guard.enforcing.passing import vetted
from guard.errors import MemoryFullError
from guard.files.devices import memory_is_full
from guard.files.hub import torch
from guard.prompts.state import state_of

_FIRST_BATCH = 32


@dataclass(frozen=True, slots=True)
class Row:
    """Ids, and the place from which on they are scored (1 or later: a token needs one before it)."""

    ids: tuple[int, ...]
    start: int


@dataclass(frozen=True, slots=True)
class RowScore:
    """What a model says of the scored tokens of a row.

    Attributes:
        logprobs: Natural logarithm of each token's probability after all before it, in float32.
        best: For each token, whether no other token is more likely.
        ties: At how many of them another token is exactly as likely as the best one.
    """

    logprobs: tuple[float, ...]
    best: tuple[bool, ...]
    ties: int


def score_rows(
    model: Any, rows: Sequence[Row], pad: int, *, batch_size: int | None = None
) -> list[RowScore]:
    """Score rows, the longest first; the result is in their order.

    Rows are padded on the right, so that positions are those of the text in every model, whatever it
    makes of a mask. Rows that differ in their last token alone are one row to the model.

    Args:
        model: A guarded model.
        rows: What is scored.
        pad: Fills rows of a batch.
        batch_size: Rows at a time; None begins with 32. Halved when memory is full.

    Raises:
        BrokenModelError: Scores are NaN or infinite; the layer is named.
        MemoryFullError: One row alone does not fit.
    """
    # By what the model reads: the last token is only asked about.
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, row in enumerate(rows):
        groups.setdefault(row.ids[:-1], []).append(number)
    inputs = sorted(groups, key=lambda ids: -len(ids))
    found: dict[int, RowScore] = {}
    at, size = 0, batch_size or _FIRST_BATCH
    with evaluating(model), torch.no_grad():
        while at < len(inputs):
            batch = inputs[at : at + size]
            done = _unless_full(model, batch, rows, groups, pad)
            if done is None:
                size = len(batch) // 2
                continue
            at += len(batch)
            found |= done
    return [found[number] for number in range(len(rows))]


def _unless_full(
    model: Any,
    batch: list[tuple[int, ...]],
    rows: Sequence[Row],
    groups: dict[tuple[int, ...], list[int]],
    pad: int,
) -> dict[int, RowScore] | None:
    """The scores of a batch by the numbers of its rows; None if half of it may fit into memory."""
    try:
        return dict(_scored(model, batch, rows, groups, pad))
    except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
        if not memory_is_full(error):
            raise
        if len(batch) == 1:
            raise MemoryFullError(
                f"memory is full with one text of {len(batch[0]) + 1} tokens alone",
                evidence={"tokens": len(batch[0]) + 1},
                remedy="score a shorter text, pass a smaller window, or load the model quantized",
            ) from None
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def _scored(
    model: Any,
    batch: list[tuple[int, ...]],
    rows: Sequence[Row],
    groups: dict[tuple[int, ...], list[int]],
    pad: int,
) -> Iterator[tuple[int, RowScore]]:
    width = max(map(len, batch))
    first = min(rows[number].start - 1 for ids in batch for number in groups[ids])
    inputs = {
        "input_ids": torch.tensor([[*ids, *[pad] * (width - len(ids))] for ids in batch]),
        "attention_mask": torch.tensor([[1] * len(i) + [0] * (width - len(i)) for i in batch]),
    }
    inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}
    keep = {"logits_to_keep": width - first} if _keeps(model) else {}
    with vetted(state_of(model)):
        logits = model(**inputs, use_cache=False, **keep).logits
        # Counted from the end: prompts that were learned stand before the text.
        offset = logits.shape[1] - width
        for at, ids in enumerate(batch):
            begins = min(rows[number].start - 1 for number in groups[ids])
            part = logits[at, offset + begins : offset + len(ids)].float()
            refuse_broken(model, part, inputs, f"a text of {len(ids) + 1} tokens")
            of_next = part.log_softmax(-1)
            top = part.amax(-1, keepdim=True)
            tied = (part == top).sum(-1) > 1
            for number in groups[ids]:
                row, skip = rows[number], rows[number].start - 1 - begins
                asked = torch.tensor(row.ids[row.start :], device=part.device)[:, None]
                yield (
                    number,
                    RowScore(
                        logprobs=tuple(of_next[skip:].gather(1, asked)[:, 0].tolist()),
                        best=tuple((part[skip:].gather(1, asked) == top[skip:])[:, 0].tolist()),
                        ties=int(tied[skip:].sum()),
                    ),
                )


def _keeps(model: Any) -> bool:
    """Whether the model can leave out the logits that nobody asks for."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return "logits_to_keep" in inspect.signature(type(base).forward).parameters
