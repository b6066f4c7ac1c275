"""Turns prompts into token ids: exactly the family's BOS, nothing cut, nothing of a chat format."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from cleanguard.catalogue import hazards
from guard.errors import (
    ContaminationError,
    DoubledBosError,
    EmptyPromptError,
    GuardWarning,
    SettingsError,
    TruncatedPromptError,
)
from guard.files.hub import torch
from guard.files.request import SpecialTokens
from guard.prompts.control_tokens import Hit
from guard.prompts.policy import PromptPolicy, policy_of
from guard.prompts.state import find_state

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedTokenizerBase

_HALF = re.compile("[\ud800-\udfff]")
_AROUND = 30  # characters shown on each side of what was found


def encode(
    tokenizer: PreTrainedTokenizerBase,
    prompt: str | Sequence[str],
    *,
    max_length: int | None = None,
    special_tokens: SpecialTokens | None = None,
) -> BatchEncoding:
    """Tokenise a prompt or a batch of prompts for a base model.

    Args:
        tokenizer: The tokenizer that `load()` returned; any other is measured first.
        prompt: One prompt, or several.
        max_length: The most tokens that a prompt may have, BOS included. It never cuts.
        special_tokens: `text` reads the spelling of a special token, such as `<s>` in HTML, as the
            characters that it is made of, and is recorded as an event of the model; `refuse` does what
            it says. None is what the loader was told.

    Returns:
        A BatchEncoding with `input_ids` and `attention_mask`, both int64 of shape (prompts, longest
        prompt), padded on the left.

    Raises:
        ContaminationError: A prompt holds a control token or text that the chat template inserts.
        DoubledBosError: A prompt spells out BOS.
        TruncatedPromptError: A prompt has more than `max_length` tokens.
        SettingsError: A prompt is no string.
        EmptyPromptError: It gives no token at all.
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
    policy = with_special_tokens(tokenizer, policy_of(tokenizer), special_tokens)
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
    known: Sequence[list[int]] | None = None,
) -> list[list[int]]:
    """The ids of each prompt, unpadded; raises as `encode`, on content only if not `lifted`.

    `known` are the ids without the prefix, where the caller has them already.
    """
    rows: list[list[int]] = []
    plain = known or _all_ids(tokenizer, policy, prompts)
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
        row = plain[at] if plain else text_ids(tokenizer, text, policy.special_tokens)
        if not lifted:
            _refuse_content(policy, text, row, at)

        row = [*policy.prefix, *row]
        if not row:
            raise EmptyPromptError(
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


def _all_ids(
    tokenizer: PreTrainedTokenizerBase, policy: PromptPolicy, texts: Sequence[str]
) -> list[list[int]]:
    """The ids of many texts from one call, which costs a fraction; nothing where one is no text."""
    if len(texts) < 2 or not all(map(whole_text, texts)):
        return []
    split = {"split_special_tokens": True} if policy.special_tokens == "text" else {}
    found = tokenizer(
        list(texts),
        add_special_tokens=False,
        truncation=False,
        padding=False,
        verbose=False,
        **split,
    )
    return [list(row) for row in found["input_ids"]]


def whole_text(text: Any) -> bool:
    """Whether it is a text that a tokenizer takes: a string without half of a character."""
    return isinstance(text, str) and not _HALF.search(text)


def with_special_tokens(
    tokenizer: PreTrainedTokenizerBase, policy: PromptPolicy, asked: SpecialTokens | None
) -> PromptPolicy:
    """A policy with what one call says of special tokens; recorded where it differs from the loader's.

    Raises:
        SettingsError: It is neither `refuse` nor `text`.
    """
    if asked is None or asked == policy.special_tokens:
        return policy
    if asked not in ("refuse", "text"):
        raise SettingsError(
            f"special_tokens={asked!r}", remedy='special_tokens is "refuse" or "text"'
        )
    state = find_state(tokenizer)
    if state is not None and asked == "text":
        state.note("special-tokens-as-text", hazards.CONTROL_TOKEN_LITERAL)
    return replace(policy, special_tokens=asked)


def text_ids(
    tokenizer: PreTrainedTokenizerBase, text: str, special_tokens: SpecialTokens
) -> list[int]:
    """The ids of a text without BOS; as `text`, no special token is made of its spelling."""
    split = {"split_special_tokens": True} if special_tokens == "text" else {}
    encoded = tokenizer(
        text, add_special_tokens=False, truncation=False, padding=False, verbose=False, **split
    )
    return list(encoded["input_ids"])


def pad_left(rows: Sequence[Sequence[int]], pad: int, least: int = 0) -> tuple[Any, Any]:
    """Ids and mask as int64 tensors of shape (rows, longest row or `least`), padded on the left."""
    longest = max(least, *map(len, rows))
    ids = torch.tensor([[pad] * (longest - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def _refuse_content(policy: PromptPolicy, text: str, row: list[int], at: int) -> None:
    spelt = [index for index in policy.prefix if index != policy.eos_id and index in row]
    if spelt:
        raise DoubledBosError(
            f"prompt {at} spells out BOS, which is added to every prompt of this family",
            evidence={"prompt": at, "position": row.index(spelt[0]), "id": spelt[0]},
            remedy="take the BOS text out of the prompt, or pass special_tokens='text' if it is meant "
            "as plain characters",
        )
    foreign = policy.special_tokens == "refuse"
    hits = policy.control.in_ids(row) or policy.control.in_text(text, foreign=foreign)
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
    shown = ", ".join(f"{hit.token!r} (at {hit.unit} {hit.position})" for hit in hits[:4])
    return shown + (f" and {len(hits) - 4} more" if len(hits) > 4 else "")
