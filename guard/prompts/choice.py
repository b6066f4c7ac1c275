"""What a caller decided about prompts, and what the files say of BOS; both travel on the tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guard.files.request import BosChoice, SpecialTokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_ATTRIBUTE = "_cleanguard_choice"


@dataclass(frozen=True, slots=True)
class PromptChoice:
    """How prompts are to be made.

    Attributes:
        bos: `auto` follows the tokenizer, then its family; `add` and `none` say it.
        special_tokens: `refuse` a prompt that spells one, or read its spelling as plain `text`.
        file_says_add: `add_bos_token` in tokenizer_config.json; None if it is not there.
        file_names: `bos_token` in tokenizer_config.json; None if it is null or not there.
        read_from: The file that the tokenizer was made of, in words.
    """

    bos: BosChoice = "auto"
    special_tokens: SpecialTokens = "refuse"
    file_says_add: bool | None = None
    file_names: str | None = None
    read_from: str = ""


_USUAL = PromptChoice()


def choose(tokenizer: PreTrainedTokenizerBase, choice: PromptChoice) -> None:
    """Let a choice hold for a tokenizer and its copies."""
    setattr(tokenizer, _ATTRIBUTE, choice)


def choice_of(tokenizer: PreTrainedTokenizerBase) -> PromptChoice:
    """What was chosen for a tokenizer."""
    found = getattr(tokenizer, _ATTRIBUTE, _USUAL)
    return found if isinstance(found, PromptChoice) else _USUAL
