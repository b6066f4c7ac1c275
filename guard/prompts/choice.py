"""What a caller decided about prompts, and what the files say of BOS; both travel on the tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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


def said_in(settings: Mapping[str, Any]) -> PromptChoice:
    """What a tokenizer_config.json says of BOS, and nothing else chosen."""
    adds, named = settings.get("add_bos_token"), settings.get("bos_token")
    if isinstance(named, dict):
        named = named.get("content")
    return PromptChoice(
        file_says_add=adds if isinstance(adds, bool) else None,
        file_names=named if isinstance(named, str) else None,
    )


def choose(tokenizer: PreTrainedTokenizerBase, choice: PromptChoice) -> None:
    """Let a choice hold for a tokenizer and its copies."""
    setattr(tokenizer, _ATTRIBUTE, choice)


def choice_of(tokenizer: PreTrainedTokenizerBase) -> PromptChoice:
    """What was chosen for a tokenizer."""
    found = getattr(tokenizer, _ATTRIBUTE, _USUAL)
    return found if isinstance(found, PromptChoice) else _USUAL
