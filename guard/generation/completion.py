"""One generated text: how it is cut out of a model's output, and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from guard.prompts.control_tokens import ControlSet
from guard.settings.settled import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FinishReason = Literal["eos", "stop", "length"]


@dataclass(frozen=True, slots=True)
class Completion:
    """One generated text and how it came about.

    Attributes:
        text: As `generate` returns it.
        ids: The generated ids, the EOS that ended them included, padding not.
        prompt_tokens: Tokens of the prompt, BOS included.
        finish_reason: `eos`, `stop` (a stop string) or `length`.
        seed: The seed that this text was sampled with; None if greedy.
        control_tokens: Control tokens, or template text without an id, that the model itself emitted.
        batch: Rows in the batch it was generated in (bf16 results may depend on it).
        ignored: Settings that were given and had no effect.
        engine: How it was decoded: `graphs` (captured CUDA steps), `loop` (the same steps, not
            captured), `plain` (the library's `generate`), or `vllm`.
    """

    text: str
    ids: tuple[int, ...]
    prompt_tokens: int
    finish_reason: FinishReason
    seed: int | None
    control_tokens: int
    batch: int
    ignored: tuple[str, ...]
    engine: str = "plain"


def trim(
    tokenizer: PreTrainedTokenizerBase,
    row: list[int],
    eos: tuple[int, ...],
    pad: int | None,
    stops: tuple[str, ...],
) -> tuple[list[int], FinishReason]:
    """The ids of a row without the padding behind them, and what finished it."""
    end = next((at for at, i in enumerate(row) if i in eos), None)
    if stops:
        body = row if end is None else row[:end]
        while body and end is None and body[-1] == pad:
            body = body[:-1]
        text = tokenizer.decode(body)
        if any(stop in text for stop in stops):
            return body, "stop"
    return (row, "length") if end is None else (row[: end + 1], "eos")


def decode(tokenizer: PreTrainedTokenizerBase, ids: list[int], settings: Settings) -> str:
    """The text of generated ids, as the settings want it."""
    clean = settings.clean_up_tokenization_spaces
    extra = {} if clean is None else {"clean_up_tokenization_spaces": clean}
    return str(tokenizer.decode(ids, skip_special_tokens=settings.skip_special_tokens, **extra))


def emitted_control(tokenizer: PreTrainedTokenizerBase, control: ControlSet, ids: list[int]) -> int:
    """How many control tokens, and pieces of template text without an id, a model emitted."""
    found = len(control.in_ids(ids))
    if control.markers:
        text = tokenizer.decode(ids, skip_special_tokens=True)
        found += sum(hit.certain for hit in control.in_text(text))
    return found
