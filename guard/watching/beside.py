"""What is known of models, kept beside them: they carry nothing of it, and are pickled, copied and compared as ever."""

from __future__ import annotations

import weakref
from contextlib import suppress
from types import MemberDescriptorType
from typing import Any, Generic, TypeVar

from guard.files.hub import torch

T = TypeVar("T")
# Wrappers around a model: PEFT's, the parallel ones of torch, a compiled model, TRL's value head.
_INNER = ("base_model", "module", "_orig_mod", "model", "pretrained_model")
_DEEPEST = 8


class Beside(Generic[T]):
    """Something for each of some objects, by their identity, while they live."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], T]] = {}

    def put(self, owner: Any, value: T) -> bool:
        """Keep a value; False for an owner that cannot be referred to weakly."""
        known, key = self._known, id(owner)
        try:
            self._known[key] = weakref.ref(owner, lambda _: known.pop(key, None)), value
        except TypeError:
            return False
        return True

    def get(self, owner: Any) -> T | None:
        """What was kept; None if nothing was."""
        found = self._known.get(id(owner))
        return None if found is None or found[0]() is not owner else found[1]


def is_module(model: Any) -> bool:
    """Whether something is a module of torch; nothing is asked of it, since a stranger may answer anything."""
    return issubclass(type(model), torch.nn.Module) and isinstance(
        vars(model).get("_modules"), dict
    )


def attributes(model: Any) -> list[Any]:
    """What the attributes of an object hold; nothing is asked of it, since it may count or answer what it is asked."""
    try:
        held = list(object.__getattribute__(model, "__dict__").values())
    except AttributeError:
        held = []
    for one in type(model).__mro__:
        for slot in vars(one).values():
            if isinstance(slot, MemberDescriptorType):
                with suppress(AttributeError):
                    held.append(slot.__get__(model))
    return held


def within(known: Beside[T], model: Any) -> T | None:
    """What is kept for a model, or for the one within the wrapper of an adapter or of a parallel run."""
    for _ in range(_DEEPEST):
        if not is_module(model):
            return None
        found = known.get(model)
        if found is not None:
            return found
        modules = vars(model)["_modules"]
        model = next((modules[name] for name in _INNER if modules.get(name) is not None), None)
    return None


_told: Beside[bool] = Beside()


def already_told(model: Any) -> bool:
    """Whether it was told of a model that it is not watched; true from then on."""
    return (
        within(_told, model) is not None
        or _told.get(model) is not None
        or not _told.put(model, True)
    )
