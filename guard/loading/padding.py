"""Chooses a padding token that is not EOS, where the vocabulary has one to spare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guard.base.vocabulary import Vocabulary
from guard.provenance.record import PadRecord

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from guard.files.request import PaddingChoice

# Tokens that publishers made for padding, or that no text produces.
_SPARE = (
    "<|finetune_right_pad_id|>",
    "<pad>",
    "<｜▁pad▁｜>",
    "<|pad|>",
    "<|padding|>",
    "[PAD]",
    "<|fim_pad|>",
)


def settle_padding(
    tokenizer: PreTrainedTokenizerBase,
    side: str | None,
    rows: int,
    padding: PaddingChoice = "auto",
) -> PadRecord:
    """Set the padding side, and a padding token that is not EOS if the vocabulary has one.

    Args:
        tokenizer: Changed in place.
        side: `left` or `right`; None leaves the side of the files.
        rows: Rows of the model's embedding; a token beyond them cannot be used.
        padding: `files` leaves the token that the files name, and none where they name none.

    Returns:
        What is in use. No token is ever added: that would make it another tokenizer.
    """
    if side is not None:
        tokenizer.padding_side = side
    eos = tokenizer.eos_token_id
    if padding == "files":
        return _of_files(tokenizer)
    vocabulary = Vocabulary(tokenizer)
    names = [tokenizer.pad_token, *_SPARE, tokenizer.unk_token]
    for name in names:
        index = vocabulary.get(name)
        if index is not None and index != eos and index < rows:
            # An object of its own: a script may set the same text, and then wants it saved.
            tokenizer.pad_token = name[:1] + name[1:]
            return PadRecord(index, name, True, "not EOS, so labels can mask it safely")
    # Some tokenizer classes bring a default pad token that the model has no row for.
    if eos is not None and (tokenizer.pad_token is None or tokenizer.pad_token_id >= rows):
        tokenizer.pad_token = tokenizer.eos_token[:1] + tokenizer.eos_token[1:]
    return PadRecord(
        tokenizer.pad_token_id,
        tokenizer.pad_token,
        False,
        "the vocabulary has no other token to spare; harmless in generation, where the mask "
        "hides it, but a collator that masks it in labels would mask EOS too",
    )


def _of_files(tokenizer: PreTrainedTokenizerBase) -> PadRecord:
    index = tokenizer.pad_token_id
    if index is None:
        return PadRecord(
            None, None, True, "the files name none, and none was chosen (padding='files')"
        )
    distinct = index != tokenizer.eos_token_id
    return PadRecord(index, tokenizer.pad_token, distinct, "as the files name it (padding='files')")
