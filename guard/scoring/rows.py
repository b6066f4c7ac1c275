"""Log-probabilities of the last tokens of rows of ids: batched, in float32, each row once."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from guard.base.finiteness import refuse_broken
from guard.base.modes import evaluating, unwrapped
from guard.decoding.failures import forward_failures
from guard.enforcing.passing import vetted
from guard.errors import MemoryFullError
from guard.files.devices import memory_is_full
from guard.files.hub import torch
from guard.prompts.state import state_of
from guard.scoring.shared import (
    Found,
    Input,
    Sharing,
    Stem,
    agrees,
    remember,
    sharing_of,
    stems_of,
)

_FIRST_BATCH = 32
_MOST_NUMBERS = 1 << 25  # 128 MiB in float32


@dataclass(frozen=True, slots=True)
class Row:
    """Ids, and the place from which on they are scored (1 or later: a token needs one before it).

    Rows of one `family` begin alike: continuations of one prompt.
    """

    ids: tuple[int, ...]
    start: int
    family: int | None = None


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
    makes of a mask. Rows that differ in their last token alone are one row to the model. Where the
    model takes a cache and positions, what rows begin with alike is read once.

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
    inputs = [
        Input(ids, min(rows[at].start - 1 for at in numbers), rows[numbers[0]].family)
        for ids, numbers in groups.items()
    ]
    found: dict[int, RowScore] = {}
    size, sharing = batch_size or _FIRST_BATCH, sharing_of(model)
    left = stems_of(inputs) if sharing else [Stem((one,), 0) for one in _longest_first(inputs)]
    with evaluating(model), torch.no_grad():
        while left:
            count = _fitting(left, size)
            batch = left[:count]
            done = _unless_full(model, batch, rows, groups, pad, sharing)
            if done is None:
                rows_in_it = sum(len(stem.inputs) for stem in batch)
                size = max(1, rows_in_it // 2)
                if count == 1:  # a family that does not fit whole is read row by row
                    left[:1] = [Stem((one,), 0) for one in batch[0].inputs]
                continue
            del left[:count]
            found |= done
    return [found[number] for number in range(len(rows))]


def _longest_first(inputs: Sequence[Input]) -> list[Input]:
    return sorted(inputs, key=lambda one: -len(one.ids))


def _fitting(stems: Sequence[Stem], size: int) -> int:
    """How many families come to at most so many rows; at least one."""
    rows = 0
    for count, stem in enumerate(stems):
        rows += len(stem.inputs)
        if rows > size and count:
            return count
    return len(stems)


def _unless_full(
    model: Any,
    batch: Sequence[Stem],
    rows: Sequence[Row],
    groups: dict[tuple[int, ...], list[int]],
    pad: int,
    sharing: Sharing | None,
) -> dict[int, RowScore] | None:
    """The scores of a batch by the numbers of its rows; None if half of it may fit into memory."""
    try:
        return dict(_scored(model, batch, rows, groups, pad, sharing))
    except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
        if not memory_is_full(error):
            raise
        inputs = [one for stem in batch for one in stem.inputs]
        if len(inputs) == 1:
            raise MemoryFullError(
                f"memory is full with one text of {len(inputs[0].ids) + 1} tokens alone",
                evidence={"tokens": len(inputs[0].ids) + 1},
                remedy="score a shorter text, pass a smaller window, or load the model quantized",
            ) from None
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def _scored(
    model: Any,
    batch: Sequence[Stem],
    rows: Sequence[Row],
    groups: dict[tuple[int, ...], list[int]],
    pad: int,
    sharing: Sharing | None,
) -> Iterator[tuple[int, RowScore]]:
    with vetted(state_of(model)):
        logits, places = _logits(model, batch, pad, sharing)
        for some in _portions(places, logits.shape[-1]):
            part = torch.cat([_of(logits, one) for one in some]).float()
            if not math.isfinite(float(part.amax())):
                _refuse(model, logits, some)
            yield from _chosen(part, some, rows, groups)


@forward_failures()
def _logits(
    model: Any, batch: Sequence[Stem], pad: int, sharing: Sharing | None
) -> tuple[Any, list[Found]]:
    """Logits of shape (model rows, columns, vocabulary), and where each input's stand in them."""
    inputs = [one for stem in batch for one in stem.inputs]
    if sharing is None:
        return _whole(model, inputs, pad)
    header = sharing.header(batch)
    if not sharing.pays(batch, header):
        return _whole(model, inputs, pad)
    logits, found = sharing.read(batch, header, pad)
    if not sharing.proven:
        # Once for a model: what it gives over shared beginnings is what it gives without.
        [plain, [place]] = _whole(model, [found[-1].input], pad)
        sharing.proven = agrees(_of(logits, found[-1]), _of(plain, place))
        remember(model, right=sharing.proven)
        if not sharing.proven:
            return _whole(model, inputs, pad)
    return logits, found


def _whole(model: Any, batch: Sequence[Input], pad: int) -> tuple[Any, list[Found]]:
    """The same from rows that are read whole, padded on the right."""
    width = max(len(one.ids) for one in batch)
    first = min(one.first for one in batch)
    ids = [one.ids for one in batch]
    inputs = {
        "input_ids": torch.tensor([[*row, *[pad] * (width - len(row))] for row in ids]),
        "attention_mask": torch.tensor([[1] * len(i) + [0] * (width - len(i)) for i in ids]),
    }
    inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}
    keep = {"logits_to_keep": width - first} if _keeps(model) else {}
    logits = model(**inputs, use_cache=False, **keep).logits
    # Counted from the end: prompts that were learned stand before the text.
    offset = logits.shape[1] - width
    return logits, [Found(one, row, offset + one.first) for row, one in enumerate(batch)]


def _of(logits: Any, place: Found) -> Any:
    return logits[place.row, place.start : place.start + place.count]


def _portions(places: Sequence[Found], vocabulary: int) -> Iterator[list[Found]]:
    """Inputs whose float32 copies go together: many calls cost time, and long texts memory."""
    some: list[Found] = []
    positions = 0
    for one in places:
        if some and (positions + one.count) * vocabulary > _MOST_NUMBERS:
            yield some
            some, positions = [], 0
        some.append(one)
        positions += one.count
    yield some


def _chosen(
    part: Any, some: Sequence[Found], rows: Sequence[Row], groups: dict[tuple[int, ...], list[int]]
) -> Iterator[tuple[int, RowScore]]:
    """Scores of the rows of some inputs, whose logits stand below each other."""
    numbers: list[int] = []
    at: list[int] = []
    asked: list[int] = []
    begin = 0
    for one in some:
        for number in groups[one.input.ids]:
            row = rows[number]
            skip = row.start - 1 - one.input.first
            numbers.append(number)
            at += range(begin + skip, begin + one.count)
            asked += row.ids[row.start :]
        begin += one.count
    top = part.amax(-1, keepdim=True)
    tied = ((part == top).sum(-1) > 1)[:, None]
    places = torch.tensor(at, device=part.device)
    tokens = torch.tensor(asked, device=part.device)
    chosen = part[places, tokens]
    best = (chosen == top[places, 0]).tolist()
    # The best score is taken off first: large ones would leave no digits for the difference.
    rest = (part - top).exp_().sum(-1).log_()
    logprobs = (chosen - top[places, 0] - rest[places]).tolist()
    ties = tied[places, 0].tolist()
    end = 0
    for number in numbers:
        begin, end = end, end + len(rows[number].ids) - rows[number].start
        yield (
            number,
            RowScore(tuple(logprobs[begin:end]), tuple(best[begin:end]), sum(ties[begin:end])),
        )


def _refuse(model: Any, logits: Any, some: Sequence[Found]) -> None:
    """Raise for the first input whose scores are no numbers."""
    for one in some:
        ids = torch.tensor([one.input.ids], device=model.device)
        text = f"a text of {len(one.input.ids) + 1} tokens"
        refuse_broken(model, _of(logits, one).float(), {"input_ids": ids}, text)


def _keeps(model: Any) -> bool:
    """Whether the model can leave out the logits that nobody asks for."""
    base = unwrapped(model)
    return "logits_to_keep" in inspect.signature(type(base).forward).parameters
