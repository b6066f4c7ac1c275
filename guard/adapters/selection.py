"""Which of a model's adapters answers, for the length of a block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from guard.errors import SettingsError
from guard.prompts.state import GuardState, active_adapters, look_at, state_of
from guard.provenance.adapters import merged_adapters

BASE = "base"


@contextmanager
def select_adapter(model: Any, name: str | Sequence[str]) -> Iterator[Any]:
    """Inside the block a model gives the answers of one adapter, of a stack of them, or of the base.

    It holds for the model, so for every thread that uses it.

    Args:
        model: What `attach_adapter` returned.
        name: An adapter, together with those that it stands on; several, as they are; or `base`.

    Raises:
        SettingsError: The model has no such adapter.
        UnguardedModelError: The model was not loaded by CleanModelLoader.
    """
    state = state_of(model)
    known = tuple(getattr(model, "peft_config", ()))
    names = _stack(state, name) if isinstance(name, str) else tuple(name)
    missing = [n for n in names if n not in known]
    if missing or (not known and name != BASE):
        raise SettingsError(
            f"the model has no adapter {', '.join(map(repr, missing))}",
            remedy=f"it has {', '.join(known) or 'none'}; attach_adapter returns a model that has it",
        )
    look_at(model)
    _refuse_altered(state, names)
    if not known or merged_adapters(model):
        yield model
        return
    if _learns_prompts(model):
        with _prompt_of(model, names):
            state.active_seen = active_adapters(model)
            yield model
        state.active_seen = active_adapters(model)
        return
    tuner = model.base_model
    before = list(tuner.active_adapters)
    # PEFT makes what it activates trainable.
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    switch = (lambda: tuner.set_adapter(list(names))) if names else tuner.disable_adapter_layers
    back = (lambda: tuner.set_adapter(before)) if names else tuner.enable_adapter_layers
    switch()
    _restore(flags)
    state.active_seen = active_adapters(model)
    try:
        yield model
    finally:
        look_at(model)
        back()
        _restore(flags)
        state.active_seen = active_adapters(model)


def _learns_prompts(model: Any) -> bool:
    """Whether the adapters are prompts: PEFT then puts no tuner between the model and its base."""
    return any(one.is_prompt_learning for one in model.peft_config.values())


@contextmanager
def _prompt_of(model: Any, names: Sequence[str]) -> Iterator[None]:
    if len(names) > 1:
        raise SettingsError(
            f"{' and '.join(names)} are prompts that were learned, and one stands before a text",
            remedy="choose one of them",
        )
    if not names:
        with model.disable_adapter():
            yield
        return
    before = model.active_adapter
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    model.set_adapter(names[0])
    _restore(flags)
    try:
        yield
    finally:
        model.set_adapter(before)
        _restore(flags)


def _refuse_altered(state: GuardState, names: Sequence[str]) -> None:
    """Refuse what a model cannot give bit for bit any more, since its own weights were changed."""
    merged = [n for e in state.events if e.kind == "adapters-merged" for n in e.detail["adapters"]]
    replaced = [r.name for r in state.provenance.adapters if r.replaces and r.name not in names]
    if merged and set(merged) != set(names):
        raise SettingsError(
            f"{', '.join(merged)} was merged into the weights of this model, and taking it out again "
            "does not give the base back: both round",
            evidence={"merged": merged, "asked": list(names)},
            remedy="ask the base that was passed to attach_adapter, which is untouched, or load it anew",
        )
    if replaced:
        raise SettingsError(
            f"{', '.join(replaced)} put tensors of its own in place of the base's in this model",
            evidence={"adapters": replaced, "asked": list(names)},
            remedy="ask the base that was passed to attach_adapter, which is untouched",
        )


def _restore(flags: list[tuple[Any, bool]]) -> None:
    for parameter, flag in flags:
        parameter.requires_grad_(flag)


def _stack(state: GuardState, name: str) -> tuple[str, ...]:
    """An adapter with those below it, lowest first; nothing for the base."""
    below = {record.name: record.on for record in state.provenance.adapters}
    names: list[str] = []
    at: str | None = None if name == BASE else name
    while at is not None:
        names.insert(0, at)
        at = below.get(at)
    return tuple(names)
