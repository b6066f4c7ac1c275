"""Token ids of a prompt and of what follows it, split where the prompt ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guard.errors import ContaminationError, DoubledBosError, SettingsError
from guard.prompts.encoding import encode_rows
from guard.prompts.policy import policy_of
from guard.scoring.boundary import pairs_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt and its completion as ids.

    Attributes:
        prompt: Exactly the family's BOS, then what stands before the completion's first token; the
            end of a text where nothing does.
        completion: The tokens that hold a character of the completion; EOS is last where it was
            asked for.
        merged: Its first token holds the end of the prompt as well (a space, half of a word), so the
            prompt stops earlier than it does at generation.
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

    The ids are those of the joined text, and those that hold a character of the completion are its
    own: the rule of `guard.scoring.boundary`, so that a model is trained on the text that it is
    scored on, and on no text that nobody would write (two spaces, a word in two halves).

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
    empty = next((at for at, (_, rest) in enumerate(pairs) if not rest), None)
    if empty is not None:
        raise _empty(empty)
    rows: list[Row] = []
    for at, pair in enumerate(pairs_of(tokenizer, policy, pairs)):
        rest = pair.ids[pair.start :]
        if eos and rest[-1] == policy.eos_id:
            rest = rest[:-1]
        if not rest:
            raise _empty(at)
        tail = (policy.eos_id,) if eos and policy.eos_id is not None else ()
        rows.append(Row(pair.ids[: pair.start], (*rest, *tail), bool(pair.borrowed)))
    return rows


def _empty(row: int) -> SettingsError:
    return SettingsError(f"the completion of row {row} is empty", remedy="leave the row out")
