"""What is kept for a model between its batches: buffers and captured steps, and when it is given back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from guard.decoding.proof import prove
from guard.decoding.steps import Capture, Replays, Steps, rounded
from guard.decoding.support import (
    NoRoad,
    Support,
    config_print,
    fingerprint,
    refuse_looked_into,
    refuse_uncapturable,
    support_of,
)
from guard.enforcing.passing import vetted
from guard.files.hub import torch
from guard.prompts.state import state_of

_SHARE = 16  # buffers of up to a sixteenth of the device stay between two calls


@dataclass
class _Kept:
    lock: threading.RLock = field(default_factory=threading.RLock)
    support: Support | None = None
    refused: str | None = None
    steps: Steps | None = None
    print: int = 0
    config: int | None = None


# Not on the model: it must copy and pickle.
_kept: WeakKeyDictionary[Any, _Kept] = WeakKeyDictionary()
_entering = threading.Lock()


@contextmanager
def steps_for(model: Any, rows: int, slots: int, *, captures: bool) -> Iterator[Steps]:
    """The steps of a transformers model with room for a batch; one thread at a time has them.

    Args:
        model: The model itself, not an adapter's wrapper.
        rows, slots: The batch's.
        captures: Steps are captured, on a CUDA device.

    Raises:
        NoRoad: The model does not take fixed buffers, or cannot be captured.
    """
    with _entering:
        kept = _kept.setdefault(model, _Kept())
    with kept.lock:
        capture = capture_cuda if captures else None
        # Each time: hooks and adapters come and go.
        if captures:
            refuse_uncapturable(model)
        refuse_looked_into(model)
        if kept.config != (now := config_print(model)):
            kept.config, kept.support, kept.refused, kept.steps = now, None, None, None
        if kept.refused is not None:
            raise NoRoad(kept.refused)
        if kept.support is None:
            kept.support = _proven(model, kept, capture)
        yield _fitting(model, kept, kept.support, rows, slots, capture)


def _proven(model: Any, kept: _Kept, capture: Capture | None) -> Support:
    try:
        support = support_of(model)
        with vetted(state_of(model)):  # its tokens are no prompt
            prove(model, support, capture)
    except NoRoad as told:
        if told.lasting:
            kept.refused = told.reason
        raise
    return support


def _fitting(
    model: Any, kept: _Kept, support: Support, rows: int, slots: int, capture: Capture | None
) -> Steps:
    """What is there, if it is large enough and the model is as it was; otherwise new."""
    now = fingerprint(model) if capture is not None else 0
    steps, slots = kept.steps, rounded(slots)
    if steps is not None:
        cache = steps.cache
        same = now == kept.print and (steps.capture is None) == (capture is None)
        if same and cache.room >= rows and cache.slots >= slots:
            return steps
        kept.steps = None  # before the new ones are allocated
    kept.steps, kept.print = Steps(model, support, rows, slots, capture), now
    return kept.steps


def give_back(model: Any, *, all_of_it: bool = False) -> None:
    """Drop a model's buffers and captured steps, at the end of a call the large ones only."""
    kept = _kept.get(model)
    if kept is None:
        return
    with kept.lock:
        if kept.steps is not None and (all_of_it or kept.steps.cache.size > _allowed(model)):
            kept.steps = None


def give_all_back() -> None:
    """Drop what is kept for every model: memory is needed."""
    for model in list(_kept):
        give_back(model, all_of_it=True)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _allowed(model: Any) -> int:
    if model.device.type != "cuda":
        return 0
    return int(torch.cuda.get_device_properties(model.device).total_memory) // _SHARE


@contextmanager
def _draws_apart() -> Iterator[None]:
    """Lend the capture another state of the device's generator.

    A capture that fails leaves the state that it began with unusable: each later draw on the device raises.
    """
    generator = torch.cuda.default_generators[torch.cuda.current_device()]
    own = generator.graphsafe_get_state()
    generator.graphsafe_set_state(torch.Generator(generator.device).graphsafe_get_state())
    try:
        yield
    finally:
        generator.graphsafe_set_state(own)


def capture_cuda(work: Callable[[], None]) -> Replays:
    """Capture work as a CUDA graph.

    Raises:
        NoRoad: Something in it waits for the host.
    """
    graph: Replays = torch.cuda.CUDAGraph()
    try:
        with _draws_apart(), torch.cuda.graph(graph, capture_error_mode="thread_local"):
            work()
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        if "out of memory" in str(error):
            raise NoRoad("memory was full when a step was captured", lasting=False) from error
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise NoRoad(f"a step cannot be captured ({said})") from error
    return graph
