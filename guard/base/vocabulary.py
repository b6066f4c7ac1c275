"""Looks up single tokens of a tokenizer, without the dict of all that it would make for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# What transformers makes of nothing has special tokens alone.
_LEAST = 16


class Vocabulary:
    """Ids by token, added tokens included.

    A dict of 150,000 tokens takes tens of milliseconds, at every load, for a dozen look-ups.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        self._find = tokenizer.get_vocab().get if backend is None else backend.token_to_id

    def get(self, token: str | None) -> int | None:
        """The id of a token; None if there is no such token."""
        found: int | None = None if token is None else self._find(token)
        return found

    def __contains__(self, token: str) -> bool:
        return self.get(token) is not None


def encodes(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether a tokenizer gives ids at all: where a folder holds no file of one, transformers makes an empty one.

    A small vocabulary of somebody's own need not hold any given letter.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return bool(tokenizer("a", add_special_tokens=False)["input_ids"])
    return (
        bool(backend.encode("a", add_special_tokens=False).ids) or backend.get_vocab_size() > _LEAST
    )
