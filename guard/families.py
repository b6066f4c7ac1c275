"""Which family a tokenizer belongs to, told by its tokens, and whether that family needs BOS.

The tokenizer's measured behaviour comes first; this says when a file that adds no BOS should.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from cleanguard.families import BosPolicy


@dataclass(frozen=True, slots=True)
class TokenFamily:
    """A family as its tokens show it.

    Attributes:
        name: The name that `cleanguard.families` uses.
        tokens: Tokens that its vocabulary has, all of them.
        bos: The BOS token that a prompt begins with; None where the family has none.
    """

    name: str
    tokens: tuple[str, ...]
    bos: str | None


# Most telling tokens first: a vocabulary belongs to the first family whose tokens it has.
TOKEN_FAMILIES: tuple[TokenFamily, ...] = (
    TokenFamily("llama3", ("<|begin_of_text|>", "<|start_header_id|>"), "<|begin_of_text|>"),
    TokenFamily("gemma", ("<bos>", "<start_of_turn>"), "<bos>"),
    TokenFamily("deepseek", ("<｜begin▁of▁sentence｜>",), "<｜begin▁of▁sentence｜>"),
    TokenFamily("qwen2", ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), None),
)


def family_by_tokens(vocabulary: Container[str]) -> TokenFamily | None:
    """The family whose tokens a vocabulary holds, None if they tell nothing."""
    for family in TOKEN_FAMILIES:
        if all(token in vocabulary for token in family.tokens):
            return family
    return None


def bos_policy(family: TokenFamily | None) -> BosPolicy:
    """Whether a family's prompts begin with BOS."""
    return "unknown" if family is None else "one" if family.bos else "none"
