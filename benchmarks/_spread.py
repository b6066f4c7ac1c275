"""How far the logits of one text lie apart in bfloat16: between batch sizes, and between both roads."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks._decoding import Row, texts_of
from benchmarks._sides import Bench

_ROWS, _STEPS = 32, 24


def spread(bench: Bench) -> dict[str, Any]:
    """Medians and greatest distances of the steps' logits, relative to their length.

    The first eight rows of a left-padded batch are followed along the same tokens: at batches of 32,
    8 and 1 by the library's own way, and at 32 over fixed buffers.
    """
    from guard.enforcing.passing import vetted
    from guard.prompts.state import state_of

    torch = bench.torch
    model, tokenizer = bench.load_guarded()
    texts = texts_of(Row("", _ROWS, 0, 0), tokenizer)
    rows = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    with torch.no_grad(), vetted(state_of(model)):
        all_of_it, tokens = _library(torch, model, rows, None)
        whole = [step[:8] for step in all_of_it]
        eight, _ = _library(torch, model, rows[:8], [step[:8] for step in tokens])
        alone = [
            _library(torch, model, [row], [step[at : at + 1] for step in tokens])[0]
            for at, row in enumerate(rows[:8])
        ]
        one = [torch.cat([steps[at] for steps in alone]) for at in range(_STEPS)]
        fixed = [step[:8] for step in _fixed(model, rows, tokens)]
    return {
        "rows": 8,
        "steps": _STEPS,
        "library, 32 against 8": _apart(whole, eight),
        "library, 32 against 1": _apart(whole, one),
        "library, 8 against 1": _apart(eight, one),
        "32: library against guard": _apart(whole, fixed),
        "library at 1 against guard at 32": _apart(one, fixed),
    }


def _library(
    torch: Any, model: Any, rows: Sequence[Sequence[int]], forced: list[Any] | None
) -> tuple[list[Any], list[Any]]:
    from guard.prompts.encoding import pad_left

    ids, mask = (one.to(model.device) for one in pad_left(rows, 0))
    positions, past = (mask.cumsum(-1) - 1).clamp(min=0), None
    found, tokens = [], []
    for at in range(_STEPS):
        out = model(
            input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=past,
            use_cache=True, logits_to_keep=1,
        )  # fmt: skip
        past = out.past_key_values
        found.append(out.logits[:, -1].float())
        ids = found[-1].argmax(-1, keepdim=True) if forced is None else forced[at]
        tokens.append(ids)
        mask = torch.cat([mask, torch.ones_like(ids)], 1)
        positions = mask.sum(-1, keepdim=True) - 1
    return found, tokens


def _fixed(model: Any, rows: list[list[int]], tokens: list[Any]) -> list[Any]:
    from guard.decoding.loop import Batch
    from guard.decoding.memory import steps_for
    from guard.decoding.prefill import prefill

    captures = model.device.type == "cuda"
    longest = max(map(len, rows))
    with steps_for(model, len(rows), longest + _STEPS, captures=captures) as steps:
        found = [prefill(steps, Batch(rows, _STEPS, frozenset(), 0)).float()]
        for at in range(1, _STEPS):
            steps.feed(tokens[at - 1])
            found.append(steps.step(_STEPS - at, chooses=False).float().clone())
    return found


def _apart(first: list[Any], second: list[Any]) -> dict[str, float]:
    each = [
        float(value)
        for a, b in zip(first, second, strict=True)
        for value in (a - b).norm(dim=-1) / a.norm(dim=-1)
    ]
    other = sum(
        int((a.argmax(-1) != b.argmax(-1)).sum()) for a, b in zip(first, second, strict=True)
    )
    return {
        "median": statistics.median(each),
        "most": max(each),
        "other_first_token": other / len(each),
    }
