"""Finished chat turns in a tokenizer's own chat format, and the token that would end each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guard.base.vocabulary import Vocabulary
from guard.prompts.templates import render, templates_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TALKS: tuple[tuple[str, str], ...] = (
    ("What is the capital of France?", "The capital of France is Paris."),
    ("Name two colors.", "red and blue."),
    ("Say hello.", "Hello!"),
)
# Used where no template is shipped: a format's name, the token that opens a turn, a turn up to the
# end of the answer, and the token behind it.
_FORMATS: tuple[tuple[str, str, str, str], ...] = (
    (
        "chatml",
        "<|im_start|>",
        "<|im_start|>user\n{ask}<|im_end|>\n<|im_start|>assistant\n{answer}",
        "<|im_end|>",
    ),
    (
        "llama3",
        "<|start_header_id|>",
        "<|start_header_id|>user<|end_header_id|>\n\n{ask}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n{answer}",
        "<|eot_id|>",
    ),
    (
        "gemma",
        "<start_of_turn>",
        "<start_of_turn>user\n{ask}<end_of_turn>\n<start_of_turn>model\n{answer}",
        "<end_of_turn>",
    ),
    ("deepseek", "<｜User｜>", "<｜User｜>{ask}<｜Assistant｜>{answer}", "<｜end▁of▁sentence｜>"),
    ("mistral", "[INST]", "[INST] {ask} [/INST] {answer}", "</s>"),
)


@dataclass(frozen=True, slots=True)
class Turn:
    """A conversation that stops behind the assistant's answer.

    Attributes:
        format: `template` for the tokenizer's own, or the name of a documented format.
        answer: The assistant's answer.
        ids: The conversation up to its last word.
        end: The id that ends the turn.
    """

    format: str
    answer: str
    ids: tuple[int, ...]
    end: int


def finished_turns(tokenizer: PreTrainedTokenizerBase) -> list[Turn]:
    """A turn for each of a few short conversations; empty if the tokenizer has no chat format."""
    return [
        Turn(name, answer, tuple(_ids(tokenizer, text)), end)
        for ask, answer in _TALKS
        for name, text, end in _formatted(tokenizer, ask, answer)
    ]


def _formatted(
    tokenizer: PreTrainedTokenizerBase, ask: str, answer: str
) -> Iterator[tuple[str, str, int]]:
    template = templates_of(tokenizer).get("default")
    if template is not None:
        talk = [{"role": "user", "content": ask}, {"role": "assistant", "content": answer}]
        text = render(tokenizer, talk, template)
        before, found, after = (text or "").rpartition(answer)
        tail = _ids(tokenizer, after)
        if found and tail:
            yield "template", before + answer, tail[0]
            return
    vocabulary = Vocabulary(tokenizer)
    for name, opens, form, closes in _FORMATS:
        end = vocabulary.get(closes)
        if opens in vocabulary and end is not None:
            yield name, form.format(ask=ask, answer=answer), end
            return


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    encoded = tokenizer(text, add_special_tokens=False, truncation=False, padding=False)
    return list(encoded["input_ids"])
