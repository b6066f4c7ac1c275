"""Token ids of a prompt and of what follows it, split where the prompt ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guard.errors import ContaminationError, DoubledBosError, SettingsError
from guard.prompts.encoding import encode_rows
from guard.prompts.policy import policy_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt and its completion as ids.

    Attributes:
        prompt: As at generation: exactly the family's BOS, then the prompt.
        completion: What follows it; EOS is last where it was asked for.
        merged: The text as a whole would have been tokenised differently across the boundary.
    """

    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    merged: bool


def is_plain(tokenizer: PreTrainedTokenizerBase, text: str) -> bool:
    """Whether a text holds no control token, so that it can be tokenised as a prompt or a row."""
    try:
        encode_rows(tokenizer, policy_of(tokenizer), [text])
    except (ContaminationError, DoubledBosError):
        return False
    return True


def rows_of(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[tuple[str, str]], *, eos: bool
) -> list[Row]:
    """Tokenise (prompt, completion) pairs through the guard.

    The prompt keeps the ids that it has at generation. The completion is what the text as a whole
    has behind them; where tokens merge across the boundary, it is tokenised by itself instead,
    which is what a model sees that continues the prompt.

    Args:
        tokenizer: A guarded tokenizer.
        pairs: Plain texts.
        eos: End each completion with EOS, exactly once.

    Raises:
        ContaminationError: A text holds a control token.
        SettingsError: A completion is empty, or there is no EOS.
    """
    policy = policy_of(tokenizer)
    if eos and policy.eos_id is None:
        raise SettingsError(
            "the tokenizer has no EOS", remedy="a model cannot learn to stop without one"
        )
    prompts = encode_rows(tokenizer, policy, [prompt for prompt, _ in pairs])
    wholes = encode_rows(tokenizer, policy, [prompt + rest for prompt, rest in pairs])
    rows: list[Row] = []
    for at, (prompt, whole) in enumerate(zip(prompts, wholes, strict=True)):
        merged = whole[: len(prompt)] != prompt
        rest = whole[len(prompt) :]
        if merged:
            [alone] = encode_rows(tokenizer, policy, [pairs[at][1]])
            rest = alone[len(policy.prefix) :]
        if eos and rest and rest[-1] == policy.eos_id:
            rest = rest[:-1]
        if not rest:
            raise SettingsError(f"the completion of row {at} is empty", remedy="leave the row out")
        tail = (policy.eos_id,) if eos and policy.eos_id is not None else ()
        rows.append(Row(tuple(prompt), (*rest, *tail), merged))
    return rows
