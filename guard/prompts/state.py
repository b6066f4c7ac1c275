"""What the guard knows about a loaded model; it travels on the model and its tokenizer."""

from __future__ import annotations

import secrets
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from cleanguard.catalogue.hazards import Hazard
from guard.errors import UnguardedModelError
from guard.prompts.observation import observe
from guard.prompts.policy import PromptPolicy
from guard.provenance.record import Event, Provenance, utc_now

_ATTRIBUTE = "_cleanguard"


@dataclass(slots=True)
class GuardState:
    """The guard's side of one load; a copy of the model has one of its own.

    Attributes:
        key: Names this state; no copy has the same.
        policy: The rules for its prompts.
        provenance: What was measured, adapters included.
        events: What happened since.
        run_seed: The seed drawn for sampling without one; None until then.
        drawn: How often each prompt was sampled without a seed.
        told: Kinds of events that are noted once.
        adapters_seen: The digest of each adapter at the last look.
        active_seen: The adapters that took part at the last look; None before the first.
        config_seen: The fields of the generation config when it was last found sound.
        filler: The pad token of the model's own generation config, which fills up rows that end early.
    """

    policy: PromptPolicy
    provenance: Provenance
    key: str = field(default_factory=lambda: secrets.token_hex(8))
    events: list[Event] = field(default_factory=list)
    run_seed: int | None = None
    drawn: Counter[bytes] = field(default_factory=Counter)
    told: set[str] = field(default_factory=set)
    adapters_seen: dict[str, str] = field(default_factory=dict)
    active_seen: tuple[str, ...] | None = None
    config_seen: dict[str, Any] | None = None
    filler: int | None = None

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        # Copies and pickles come through here: lifting the guard of one must not lift the other's.
        for name, value in state[1].items():
            setattr(self, name, value)
        self.key = secrets.token_hex(8)

    def note(self, kind: str, hazard: Hazard | None = None, **detail: Any) -> None:
        """Record an event."""
        code = hazard.code if hazard else None
        self.events.append(Event(kind, utc_now(), detail, code))

    def note_once(self, kind: str, hazard: Hazard | None = None, **detail: Any) -> None:
        """Record an event that would only repeat itself."""
        if kind not in self.told:
            self.told.add(kind)
            self.note(kind, hazard, **detail)


@dataclass(slots=True)
class _Link:
    """The state on a tokenizer: a pickle of it has none, so that two loads of the same files are pickled alike.

    `datasets` names its caches after such pickles, and every process of a training would tokenise anew.
    """

    state: GuardState | None = None

    def __reduce__(self) -> tuple[type[_Link], tuple[()]]:
        return _Link, ()

    def __deepcopy__(self, memo: dict[int, Any]) -> _Link:
        return _Link(deepcopy(self.state, memo))


def link_state(tokenizer: object, state: GuardState) -> None:
    """Attach the state of a model to its tokenizer."""
    setattr(tokenizer, _ATTRIBUTE, _Link(state))


def put_state(owner: object, state: GuardState) -> None:
    """Attach the state to a model or tokenizer, or to the engine that reads a model."""
    setattr(owner, _ATTRIBUTE, state)


def find_state(owner: object) -> GuardState | None:
    """The state of a guarded model or tokenizer, also through an adapter's wrapper."""
    found = getattr(owner, _ATTRIBUTE, None)
    if isinstance(found, _Link):
        return found.state
    return found if isinstance(found, GuardState) else None


def state_of(owner: object) -> GuardState:
    """Like `find_state`, but raises UnguardedModelError where there is none."""
    found = find_state(owner)
    if found is None:
        raise UnguardedModelError(
            f"this {type(owner).__name__} was not loaded by CleanModelLoader",
            remedy="model, tokenizer, provenance = CleanModelLoader(MODEL, …).load()",
        )
    return found


def provenance_of(model: object) -> Provenance:
    """A guarded model's provenance as of now: with the adapters and events since it was loaded."""
    state = state_of(model)
    active = look_at(model)
    return replace(state.provenance, events=tuple(state.events), active_adapters=active)


def look_at(model: Any) -> tuple[str, ...]:
    """Note what became of a guarded model's adapters since the last look; returns the active ones."""
    active = active_adapters(model)
    observe(model, state_of(model), active)
    return active


def adapter_kind(config: Any) -> str:
    """PEFT's name of a kind of adapter, such as LORA, by its config."""
    return str(getattr(config.peft_type, "value", config.peft_type))


def active_adapters(model: Any) -> tuple[str, ...]:
    """The adapters that take part in what a model gives now; empty for a base."""
    if not hasattr(model, "peft_config"):
        return ()
    if any(getattr(one, "is_prompt_learning", False) for one in model.peft_config.values()):
        # No layer is adapted: PEFT lets the base's forward stand in while the prompt is off.
        off = getattr(model.forward, "__self__", model) is not model
        return () if off else (str(model.active_adapter),)
    tuner = model.base_model
    layers = (module for module in tuner.modules() if hasattr(module, "_disable_adapters"))
    layer = next(layers, None)
    off = layer is not None and layer._disable_adapters
    active = getattr(tuner, "active_adapters", ())
    if callable(active):  # a base that an adapter was put into is no tuner
        active = getattr(layer, "active_adapters", ())
    return () if off else tuple(active)
