"""The fast road of generation: fixed buffers, and on a CUDA device captured steps; who may take it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from guard.decoding.loop import Batch, generate
from guard.decoding.memory import give_all_back, give_back, steps_for
from guard.decoding.prefill import read_in
from guard.decoding.scores import Scores
from guard.decoding.support import NoRoad, inner_of, keeps_tensors
from guard.enforcing.passing import vetted
from guard.enforcing.roads import generates_as_loaded
from guard.errors import GuardWarning, SettingsError
from guard.files.devices import memory_is_full
from guard.files.hub import torch, transformers
from guard.prompts.state import state_of
from guard.settings.sampling import SeededSampling

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from guard.prompts.state import GuardState
    from guard.settings.jobs import Job
    from guard.settings.settled import Settings

__all__ = [
    "Engine",
    "NoRoad",
    "Road",
    "end_of_call",
    "last_logits",
    "release",
    "rows_of",
    "settle_engine",
    "tell",
]

_ROOM = 1 << 15  # tokens that buffers have room for, whatever the model was made for

Engine = Literal["auto", "graphs", "plain"]
Road = Literal["graphs", "loop", "plain"]


def settle_engine(engine: object, invariant: object) -> Engine:
    """The engine that a call names; raises SettingsError for what is none, or no switch."""
    if engine not in get_args(Engine):
        raise SettingsError(f"engine={engine!r}", remedy="engine is auto, graphs or plain")
    if not isinstance(invariant, bool):
        raise SettingsError(
            f"batch_invariant={invariant!r}", remedy="batch_invariant is True or False"
        )
    return cast(Engine, engine)


def rows_of(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    settings: Settings,
    jobs: Sequence[Job],
    ends: tuple[int, ...],
    pad: int,
    *,
    engine: Engine = "auto",
    length: int = 0,
    streamer: Any = None,
    halted: Callable[[], bool] | None = None,
) -> tuple[list[list[int]], Road]:
    """Generate one batch; the new ids of each row, and the road that they came by.

    Args:
        model, tokenizer: What generates.
        settings: The call's.
        jobs: The rows, of equal room.
        ends: Ids that end a text.
        pad: Fills up before shorter prompts.
        engine: What was asked for.
        length: Slots that the prompts are filled up to where the batch must not show; 0 otherwise.
        streamer, halted: As in `graphs_loop.Batch`.

    Raises:
        NoRoad: This batch must take the plain road.
    """
    if engine == "plain":
        raise NoRoad("it was asked for")
    inner = inner_of(model)
    if not (generates_as_loaded(model) and generates_as_loaded(inner)):
        raise NoRoad("its generate was replaced, and is called", lasting=False)
    _refuse_settings(settings)
    captures = inner.device.type == "cuda"
    if engine == "graphs" and not captures:
        raise NoRoad(f"the model is on {inner.device.type}, and graphs need a CUDA device")
    rows = [list(job.row) for job in jobs]
    budget = jobs[0].budget
    slots = max(length, *map(len, rows)) + budget
    _refuse_endless(model, slots)
    with _ungraded(inner), vetted(state_of(model)), _on(inner.device):
        try:
            with steps_for(inner, len(rows), slots, captures=captures) as steps:
                batch = Batch(
                    rows, budget, frozenset(ends), pad,
                    _scores(inner, settings, jobs, rows, ends, pad, length),
                    _stops(tokenizer, settings), streamer, halted, length, fixed=bool(length),
                )  # fmt: skip
                return generate(steps, batch), "graphs" if captures else "loop"
        except (RuntimeError, MemoryError) as error:
            if not memory_is_full(error):
                raise
            # Answered outside: the error's traceback holds what filled the memory.
    give_all_back()
    raise NoRoad("memory was full with its buffers", lasting=False)


def last_logits(model: Any, rows: Sequence[list[int]], pad: int, count: int) -> torch.Tensor:
    """Logits of the last `count` positions of each row, of shape (rows, count, vocabulary).

    What the rows begin with alike is read in once, equal rows too, and long ones apart from short
    ones. The prompt checks hold as in a call of the model. Positions before a row mean nothing.

    Raises:
        NoRoad: The model does not take fixed buffers.
    """
    inner = inner_of(model)
    batch = Batch(list(rows), 0, frozenset(), pad)
    captures = inner.device.type == "cuda"
    with (
        _ungraded(inner),
        _on(inner.device),
        steps_for(inner, len(rows), max(map(len, rows)), captures=captures) as steps,
    ):
        return read_in(steps, batch, count)


def tell(state: GuardState, model: Any, engine: Engine, told: NoRoad) -> None:
    """Say once, and record, that a batch took the plain road where another was to be expected."""
    if engine == "plain" or (engine == "auto" and model.device.type != "cuda"):
        return
    known = [event.detail.get("reason") for event in state.events if event.kind == "plain-road"]
    if told.reason in known:
        return
    state.note("plain-road", reason=told.reason, asked=engine)
    warnings.warn(
        f"plain generate decodes here, without graphs: {told.reason}", GuardWarning, stacklevel=6
    )


def end_of_call(model: Any) -> None:
    """Give large buffers back when a call ends; small ones wait for the next."""
    try:
        give_back(inner_of(model))
    except NoRoad:
        return


def release(model: Any) -> None:
    """Give back all memory that fast generation keeps for a model."""
    try:
        give_back(inner_of(model), all_of_it=True)
    except NoRoad:
        return


def _refuse_settings(settings: Settings) -> None:
    if settings.num_beams > 1:
        raise NoRoad("beams take the plain road", lasting=False)
    if not settings.use_cache:
        raise NoRoad("use_cache=False takes the plain road", lasting=False)


def _refuse_endless(model: Any, slots: int) -> None:
    """Buffers have room for all that was asked for; a number that only means "to the end" has none."""
    made_for = state_of(model).provenance.model.context
    if slots > max(_ROOM, 2 * (made_for or _ROOM)):
        raise NoRoad(
            f"{slots} tokens of room are more than twice what the model was made for", lasting=False
        )


def _scores(
    model: Any, settings: Settings, jobs: Sequence[Job], rows: list[list[int]],
    ends: tuple[int, ...], pad: int, length: int,
) -> Scores | None:  # fmt: skip
    if not Scores.wanted(settings):
        return None
    sampling = None
    if settings.sampling:
        sampling = SeededSampling([job.seed or 0 for job in jobs], settings, model.device)
    return Scores(settings, rows, ends, pad, length, sampling, model.device)


def _stops(tokenizer: PreTrainedTokenizerBase, settings: Settings) -> Any:
    if not settings.stop_strings:
        return None
    return transformers.StopStringCriteria(tokenizer, list(settings.stop_strings))


def _ungraded(model: Any) -> Any:
    """No gradients; inference mode, which is faster, where nothing can keep a tensor made in it."""
    kept = model.device.type != "cpu" or getattr(model, "hf_quantizer", None) is not None
    if kept or keeps_tensors(model):
        return torch.no_grad()
    return torch.inference_mode()


def _on(device: torch.device) -> Any:
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
