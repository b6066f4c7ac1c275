"""Which ids pass unchecked, where and for how long: one model, one call, one thread.

What a model generates may hold control tokens, and a prompt that was checked need not be checked again.
So the guard is lifted around the forward passes that `generate` itself makes, of that model, between
`prepare_inputs_for_generation` and the end of the pass. A logits processor, a stopping criterion or a
streamer that calls the model runs outside of these windows and is checked as anybody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from guard.errors import SettingsError
from guard.prompts.state import state_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Keyed(Protocol):
    """What is known of one model, under a name of its own."""

    key: str


_NONE: frozenset[str] = frozenset()
_vetted: ContextVar[frozenset[str]] = ContextVar("_vetted", default=_NONE)
_lifted: ContextVar[frozenset[str]] = ContextVar("_lifted", default=_NONE)
_generating: ContextVar[frozenset[str]] = ContextVar("_generating", default=_NONE)
_window: ContextVar[frozenset[str]] = ContextVar("_window", default=_NONE)


@contextmanager
def vetted(*states: Keyed) -> Iterator[None]:
    """Prompts of these models were checked already: what comes into them inside the block passes."""
    token = _vetted.set(_vetted.get().union(state.key for state in states))
    try:
        yield
    finally:
        _vetted.reset(token)


@contextmanager
def generating(state: Keyed) -> Iterator[None]:
    """The prompts of a call of `generate` were checked: windows may be opened inside the block."""
    calls = _generating.set(_generating.get() | {state.key})
    windows = _window.set(_window.get())
    try:
        yield
    finally:
        _window.reset(windows)
        _generating.reset(calls)


def open_window(state: Keyed, *, always: bool = False) -> None:
    """Let the next forward pass of a model pass, if a checked call of `generate` is under way."""
    if always or state.key in _generating.get():
        _window.set(_window.get() | {state.key})


def close_window(state: Keyed) -> None:
    """Check a model's input again."""
    found = _window.get()
    if state.key in found:
        _window.set(found - {state.key})


def passes(state: Keyed) -> bool:
    """Whether what comes into a model now need not be checked."""
    key = state.key
    return key in _window.get() or key in _vetted.get() or key in _lifted.get()


def is_vetted(state: Keyed) -> bool:
    """Whether the prompts of a model were checked, so that `generate` need not do it again."""
    return state.key in _vetted.get()


def is_lifted(state: Keyed) -> bool:
    """Whether this runs inside an `unguarded` block of that model."""
    return state.key in _lifted.get()


@contextmanager
def unguarded(model: PreTrainedModel, *, reason: str) -> Iterator[None]:
    """Lift the prompt checks of one model inside a `with` block; recorded as an event.

    The block holds for the thread that entered it, and for this model: not for its copies, nor for
    the base that an adapter was attached to. Chat templates stay blocked.

    Args:
        model: A model that CleanModelLoader loaded.
        reason: Why; it stands in the provenance of everything made afterwards.

    Raises:
        SettingsError: The reason is empty.
        UnguardedModelError: The model has no guard to lift.
    """
    state = state_of(model)
    if not reason.strip():
        raise SettingsError("unguarded() without a reason", remedy="say why in `reason=`")
    state.note("unguarded", reason=reason)
    token = _lifted.set(_lifted.get() | {state.key})
    try:
        yield
    finally:
        _lifted.reset(token)
