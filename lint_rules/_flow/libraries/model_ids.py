"""Which model an argument names, and whether that is a base or a chat model."""

from __future__ import annotations

from cleanguard.catalogue.standing import says_chat, standing_of
from cleanguard.settings.config import Settings
from lint_rules._flow.values.arguments import Argument
from lint_rules._flow.values.joins import (
    UNKNOWN_MODEL,
    CausalLM,
    Constant,
    Formatted,
    Method,
    ModelId,
    Tokenizer,
    first,
    options,
)

# Attributes that hold the id that an object was loaded by.
_NAMES = ("name_or_path", "_name_or_path")
_NAMED = (Tokenizer, CausalLM)


def model_id_of(argument: Argument | None, settings: Settings) -> ModelId:
    """The model that an argument names."""
    if argument is None:
        return UNKNOWN_MODEL
    texts = [
        option
        for option in options(argument.value)
        if isinstance(option, Constant) and isinstance(option.value, str) and option.value
    ]
    partly = first(argument.value, Formatted)
    if partly is not None and any(map(says_chat, partly.pieces)):
        return ModelId(None, "chat", fixed=False)
    known = first(argument.value, Method)
    if known is not None and known.name in _NAMES and not texts:
        return known.receiver.model if isinstance(known.receiver, _NAMED) else UNKNOWN_MODEL
    if not texts or len(texts) != len(list(options(argument.value))):
        return UNKNOWN_MODEL
    standings = [
        standing_of(str(text.value), settings.base_models, settings.chat_models) for text in texts
    ]
    standing = standings[0] if len(set(standings)) == 1 else "unknown"
    if len(texts) > 1:
        return ModelId(None, standing, fixed=False)
    return ModelId(str(texts[0].value), standing, texts[0].fixed)
