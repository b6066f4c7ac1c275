"""The words that a template puts around messages, where neither an id nor a mark tells them from text.

Only words that plain text does not use as well can be told: "### Instruction:" and "User:" open half of
all prompts written for base models, and a template made of nothing else stays untold. docs/border.md
lists the published ones.
"""

from __future__ import annotations

from collections.abc import Iterable

from guard.prompts.names import without_pretrained

_SHORTEST = 4  # characters; less is found in any text

# What people write in prompts for base models; each stands in tests/guard/zoo/corpus, which must pass.
ORDINARY: frozenset[str] = frozenset(
    {
        "User:", "Assistant:", "Human:", "AI:", "Bot:", "System:", "Q:", "A:", "Question:", "Answer:",
        "Instruction:", "Response:", "Input:", "Output:", "Context:", "### Instruction:", "### Response:",
        "### Input:", "### User:", "### Assistant:", "### System:", "user", "assistant", "system", "model",
        "You are a helpful assistant.",
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.",
    }
)  # fmt: skip


def telling_pieces(pieces: Iterable[str]) -> frozenset[str]:
    """The lines of a template's pieces that plain text is not known to hold."""
    lines = (line.strip() for piece in pieces for line in without_pretrained(piece).splitlines())
    return frozenset(
        line
        for line in lines
        if len(line) >= _SHORTEST and line not in ORDINARY and any(map(str.isalnum, line))
    )
