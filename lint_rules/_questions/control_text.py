"""Chat control tokens that stand in a text."""

from __future__ import annotations

import re

from cleanguard.catalogue.families import family_of
from lint_rules._flow.values.joins import Items, Sequence, Value, element_of, options
from lint_rules._flow.values.text import piece_of

_CONTROL = re.compile(
    r"<\|(im_start|im_end|im_sep|start_header_id|end_header_id|eot_id|eom_id|user|assistant|system|end)\|>"
    r"|<(start|end)_of_turn>|<｜(User|Assistant)｜>|\[/?AVAILABLE_TOOLS\]"
)
# Plain text in other families, so only where the family is known.
_BRACKETS = re.compile(r"\[/?INST\]|<</?SYS>>")


def control_token_in(text: Value, model: str | None, *, brackets: bool = False) -> str | None:
    """The first chat control token in a text, or in a member of a list of texts.

    Args:
        text: The text.
        model: The id of the model that reads it: `[INST]` means something to some families only.
        brackets: Take `[INST]` for a chat's whatever the family is.
    """
    for option in options(text):
        if isinstance(option, (Items, Sequence)):
            found = control_token_in(element_of(option), model, brackets=brackets)
            if found is not None:
                return found
    for piece in piece_of(text):
        match = _CONTROL.search(piece)
        if match is None and (brackets or model is not None):
            family = None if model is None else family_of(model)
            known = family is not None and family.name in ("llama2", "mistral")
            match = _BRACKETS.search(piece) if brackets or known else None
        if match is not None:
            return match[0]
    return None
