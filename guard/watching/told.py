"""What is told of a watched model: each hazard once, as a warning and in a list that can be recorded."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from cleanguard.catalogue.hazards import Hazard
from guard.errors import GuardError, GuardWarning
from guard.prompts.policy import PromptPolicy

# Wrappers around a model: PEFT's, the parallel ones of torch, a compiled model.
_INNER = ("base_model", "module", "_orig_mod", "model")
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Told:
    """What was met while a watched model was loaded or ran.

    Attributes:
        code: The hazard's code, such as `CG202`; None where nothing of the catalogue was met, such as ids that
            cannot be judged.
        message: What was seen, in words.
    """

    code: str | None
    message: str


@dataclass(slots=True)
class WatchState:
    """What is known of a watched model.

    Attributes:
        name: As the script named it.
        policy: The rules for its prompts.
        key: Names this state; see `guard.enforcing.passing`.
        told: What was told, in order.
    """

    name: str
    policy: PromptPolicy
    key: str = field(default_factory=lambda: secrets.token_hex(8))
    told: list[Told] = field(default_factory=list)

    def note(self, kind: str, hazard: Hazard | None = None, **detail: Any) -> None:
        """What a guarded model records as an event: no hazard by itself."""

    def note_once(self, kind: str, hazard: Hazard | None = None, **detail: Any) -> None:
        """As `note`."""

    def tell(self, code: str | None, message: str) -> None:
        """Warn, once for each hazard of a model."""
        if any(one.code == code for one in self.told):
            return
        self.told.append(Told(code, message))
        warn(code, f"{self.name}: {message}")


def warn(code: str | None, message: str) -> None:
    """Warn of a hazard; the call goes on."""
    head = f"{code} " if code else ""
    warnings.warn(f"{head}{message}", GuardWarning, stacklevel=2)


# Beside the models, which carry nothing of it: they are pickled, copied and compared as ever.
_states: WeakKeyDictionary[Any, WatchState] = WeakKeyDictionary()

_unwatched: WeakSet[Any] = WeakSet()


def told_already(model: Any) -> bool:
    """Whether it was told of a model that it is not watched; true from then on."""
    try:
        if model in _unwatched:
            return True
        _unwatched.add(model)
    except TypeError:  # nothing that can be referred to weakly
        return True
    return False


def put_watch(model: Any, state: WatchState) -> None:
    """Remember the state of a model while it lives."""
    _states[model] = state


def find_watch(model: Any) -> WatchState | None:
    """The state of a watched model, also through a wrapper; None for any other."""
    base = watched_within(model)
    return None if base is None else _states[base]


def watched_within(model: Any) -> Any:
    """The watched model itself, or within the wrapper of an adapter or of a parallel run; None for any other."""
    for _ in range(_DEEPEST):
        try:
            if model in _states:
                return model
        except TypeError:  # nothing that can be referred to weakly
            return None
        modules = getattr(model, "__dict__", {}).get("_modules") or {}
        model = next((modules[name] for name in _INNER if modules.get(name) is not None), None)
    return None


@contextmanager
def telling(state: WatchState) -> Iterator[None]:
    """Tell what the block would refuse; what it cannot judge passes."""
    try:
        yield
    except GuardError as error:
        state.tell(error.code, str(error.args[0]))
    except Exception as error:  # noqa: BLE001 - a watch must never stand in the way
        state.tell(None, f"what came in could not be judged ({type(error).__name__})")
