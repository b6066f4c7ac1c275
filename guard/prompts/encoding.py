"""Turns prompts into token ids: exactly the family's BOS, nothing cut, nothing of a chat format."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from guard.errors import (
    ContaminationError,
    DoubledBosError,
    GuardWarning,
    SettingsError,
    TruncatedPromptError,
)
from guard.files.hub import torch
from guard.prompts.control_tokens import Hit
from guard.prompts.policy import PromptPolicy, policy_of

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedTokenizerBase

_HALF = re.compile("[\ud800-\udfff]")
_AROUND = 30  # characters shown on each side of what was found


def encode(
    tokenizer: PreTrainedTokenizerBase,
    prompt: str | Sequence[str],
    *,
    max_length: int | None = None,
) -> BatchEncoding:
    """Tokenise a prompt or a batch of prompts for a base model.

    Args:
        tokenizer: The tokenizer that `load()` returned; any other is measured first.
        prompt: One prompt, or several.
        max_length: The most tokens that a prompt may have, BOS included. It never cuts.

    Returns:
        A BatchEncoding with `input_ids` and `attention_mask`, both int64 of shape (prompts, longest
        prompt), padded on the left.

    Raises:
        ContaminationError: A prompt holds a control token or text that the chat template inserts.
        DoubledBosError: A prompt spells out BOS.
        TruncatedPromptError: A prompt has more than `max_length` tokens.
        SettingsError: A prompt is no string, or gives no token at all.
    """
    from transformers import BatchEncoding

    if not isinstance(prompt, (str, Iterable)) or isinstance(prompt, (bytes, Mapping)):
        raise SettingsError(
            f"the prompt is {type(prompt).__name__}, not text", remedy="pass a string or several"
        )
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    if max_length is not None and (type(max_length) is not int or max_length < 1):
        raise SettingsError(f"max_length={max_length!r}", remedy="a whole number from 1, or None")
    if not prompts:
        raise SettingsError("there is no prompt", remedy="pass a string or a list of strings")
    policy = policy_of(tokenizer)
    rows = encode_rows(tokenizer, policy, prompts, max_length=max_length)
    pad = policy.pad_id if policy.pad_id is not None else policy.eos_id or 0
    ids, mask = pad_left(rows, pad)
    return BatchEncoding({"input_ids": ids, "attention_mask": mask})


def encode_rows(
    tokenizer: PreTrainedTokenizerBase,
    policy: PromptPolicy,
    prompts: Sequence[str],
    *,
    max_length: int | None = None,
    lifted: bool = False,
) -> list[list[int]]:
    """The ids of each prompt, unpadded; raises as `encode`, on content only if not `lifted`."""
    rows: list[list[int]] = []
    for at, text in enumerate(prompts):
        if not isinstance(text, str):
            raise SettingsError(
                f"prompt {at} is {type(text).__name__}, not a string", remedy="pass plain text"
            )
        if _HALF.search(text):
            raise SettingsError(
                f"prompt {at} holds half of a surrogate pair, which is no character",
                remedy="read the text with the right encoding",
            )
        encoded = tokenizer(
            text, add_special_tokens=False, truncation=False, padding=False, verbose=False
        )
        row = list(encoded["input_ids"])
        if not lifted:
            _refuse_content(policy, text, row, at)

        row = [*policy.prefix, *row]
        if not row:
            raise SettingsError(
                f"prompt {at} is empty", remedy="a model without BOS needs some text"
            )
        if max_length is not None and len(row) > max_length:
            raise TruncatedPromptError(
                f"prompt {at} has {len(row)} tokens and {max_length} fit; it is not cut",
                evidence={"prompt": at, "tokens": len(row), "limit": max_length},
                remedy="shorten the prompt yourself, or use a model with a longer context",
            )
        rows.append(row)
    return rows


def pad_left(rows: Sequence[Sequence[int]], pad: int) -> tuple[Any, Any]:
    """Ids and mask as int64 tensors of shape (rows, longest row), padded on the left."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[pad] * (longest - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def _refuse_content(policy: PromptPolicy, text: str, row: list[int], at: int) -> None:
    bos = policy.bos_id
    if bos is not None and bos != policy.eos_id and bos in row:
        raise DoubledBosError(
            f"prompt {at} spells out BOS, which is added to every prompt of this family",
            evidence={"prompt": at, "position": row.index(bos), "id": bos},
            remedy="take the BOS text out of the prompt",
        )
    hits = policy.control.in_ids(row) or policy.control.in_text(text)
    if not hits:
        return
    first = hits[0]
    where = text.find(first.token) if first.unit == "token" else first.position
    around = (
        text[max(0, where - _AROUND) : where + len(first.token) + _AROUND] if where >= 0 else ""
    )
    message = f"prompt {at} holds {describe(hits)}, near {around!r}"
    if any(hit.certain for hit in hits):
        evidence = {"prompt": at, "hits": [asdict(hit) for hit in hits]}
        raise ContaminationError(message, evidence=evidence)
    warnings.warn(f"{message}; alone in prose it may be meant", GuardWarning, stacklevel=5)


def describe(hits: Sequence[Hit]) -> str:
    """What was found, for a message."""
    shown = ", ".join(f"{hit.token!r} ({hit.unit} {hit.position})" for hit in hits[:4])
    return shown + (f" and {len(hits) - 4} more" if len(hits) > 4 else "")
