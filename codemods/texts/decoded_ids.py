"""What a decode call decodes."""

from __future__ import annotations

from lint_rules._flow.values.events import Decode
from lint_rules._flow.values.joins import Generated, element_of, first


def generated_in(decode: Decode) -> Generated | None:
    """The generation that a decode call decodes."""
    return first(decode.source, Generated) or first(element_of(decode.source), Generated)


def has_prompt(generated: Generated) -> bool:
    """Whether the prompt's ids are still in front of what is decoded."""
    return generated.form in ("row", "all", "sequences")
