"""A second look at a model that leaves it as it was: a replica of its modules, and random states put back."""

from __future__ import annotations

import random
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import MethodType
from typing import Any

# The names under which a module keeps what is called around its forward.
_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)
# A running mean is smaller; packed weights, which are buffers of some quantizers, are not copied.
_MOST_COPIED = 2**20
# Backends whose devices have a generator each.
_BACKENDS = ("cuda", "xpu", "npu", "mlu", "musa")


def replica_of(model: Any) -> Any:
    """A model with the same weights and code, without hooks; what it keeps while it runs stays its own.

    Its parameters are the model's. Its modules, hooks, buffers, lists and dictionaries are its own, so that
    a pass through it calls no hook of anybody's and leaves no count, cache or running mean behind.
    """
    made = {id(module): object.__new__(type(module)) for module in model.modules()}
    for module in model.modules():
        state = {name: _own(value, made) for name, value in vars(module).items()}
        state["_modules"] = {
            name: None if part is None else made[id(part)] for name, part in module._modules.items()
        }
        state |= {name: type(state[name])() for name in _HOOKS if name in state}
        state.pop("_compiled_call_impl", None)  # of the model itself
        vars(made[id(module)]).update(state)
    return made[id(model)]


def _own(value: Any, made: dict[int, Any]) -> Any:
    """What a replica holds instead of an attribute of a module."""
    found = made.get(id(value))
    if found is not None:
        return found
    if isinstance(value, MethodType):
        return MethodType(value.__func__, _own(value.__self__, made))
    if type(value) is partial:
        given = [_own(one, made) for one in value.args]
        return partial(_own(value.func, made), *given, **value.keywords)
    if type(value) in (list, tuple, set):
        return type(value)(_own(one, made) for one in value)
    if type(value) in (dict, OrderedDict):
        return type(value)((key, _copied(one, made)) for key, one in value.items())
    return _copied(value, made)


def _copied(value: Any, made: dict[int, Any]) -> Any:
    torch = sys.modules["torch"]
    if isinstance(value, torch.Generator):
        return torch.Generator(value.device).set_state(value.get_state())
    if isinstance(value, torch.Tensor) and not isinstance(value, torch.nn.Parameter):
        small = value.numel() <= _MOST_COPIED and not value.is_meta
        return value.detach().clone() if small else value
    return made.get(id(value), value)


@contextmanager
def same_random_state() -> Iterator[None]:
    """Behind the block every generator of the process stands where it stood before it."""
    put_back = list(_generators())
    try:
        yield
    finally:
        for put in put_back:
            put()


def _generators() -> Iterator[Callable[[], Any]]:
    """What puts each generator's state back, as it is now."""
    torch, numpy = sys.modules["torch"], sys.modules.get("numpy")
    yield partial(random.setstate, random.getstate())
    if numpy is not None:
        yield partial(numpy.random.set_state, numpy.random.get_state())
    yield partial(torch.set_rng_state, torch.get_rng_state())
    for name in _BACKENDS:
        backend = getattr(torch, name, None)
        if backend is not None and backend.is_initialized():
            yield partial(backend.set_rng_state_all, backend.get_rng_state_all())
    if torch.backends.mps.is_available():
        yield partial(torch.mps.set_rng_state, torch.mps.get_rng_state())
