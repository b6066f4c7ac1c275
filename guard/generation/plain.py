"""The plain road of generation: the library's own `generate`, with everything said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from guard.base.finiteness import watching
from guard.enforcing.passing import vetted
from guard.files.hub import torch, transformers
from guard.prompts.encoding import pad_left
from guard.prompts.state import state_of
from guard.settings.processors import processors_of
from guard.settings.settled import Settings, config_for

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from guard.settings.jobs import Job


def generate_plainly(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    settings: Settings,
    rows: Sequence[Job],
    eos: tuple[int, ...],
    pad: int | None,
    *,
    length: int = 0,
    streamer: Any = None,
    halted: Callable[[], bool] | None = None,
) -> list[list[int]]:
    """The new ids of each row, padding behind them; arguments as in `graphs.rows_of`.

    Raises:
        BrokenModelError: Scores are no numbers.
    """
    extra: dict[str, Any] = {}
    if streamer is not None:
        extra["streamer"] = streamer
    if halted is not None:

        def stopped(ids: torch.Tensor, _scores: Any, **_more: Any) -> torch.Tensor:
            return torch.full((ids.shape[0],), halted(), dtype=torch.bool, device=ids.device)

        extra["stopping_criteria"] = transformers.StoppingCriteriaList([stopped])
    with watching(model):
        return _run(model, tokenizer, settings, rows, eos, pad, length, looks=False, extra=extra)


def find_broken_layer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    settings: Settings,
    rows: Sequence[Job],
    eos: tuple[int, ...],
    pad: int | None,
    length: int,
) -> None:
    """Generate once more, and raise BrokenModelError with the layer that the numbers break in."""
    _run(model, tokenizer, settings, rows, eos, pad, length, looks=True, extra={})


def _run(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    settings: Settings,
    rows: Sequence[Job],
    eos: tuple[int, ...],
    pad: int | None,
    length: int,
    *,
    looks: bool,
    extra: dict[str, Any],
) -> list[list[int]]:
    if settings.stop_strings:
        extra["tokenizer"] = tokenizer
    ids, mask = pad_left([job.row for job in rows], pad if pad is not None else 0, length)
    with vetted(state_of(model)):
        output = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            generation_config=config_for(settings, eos, pad, rows[0].budget),
            logits_processor=processors_of(model, rows, settings, mask, looks=looks),
            **extra,
        )
    found: list[list[int]] = output[:, ids.shape[1] :].tolist()
    return found
