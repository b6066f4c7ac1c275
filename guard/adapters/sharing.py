"""Two models on one set of weights: a copy of the modules that holds the same tensors.

PEFT wraps a model's layers in place, so that the base object silently gives the adapter's answers.
An adapter therefore goes onto such a copy: the base stays what it was, for the memory of one.
"""

from __future__ import annotations

import copy
import gc
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from guard.files.hub import torch
from guard.prompts.state import state_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Whose weights a tuner shares, while that model is alive. Not on the tuner: it must pickle.
_lenders: WeakKeyDictionary[Any, ref[Any]] = WeakKeyDictionary()
_OWN = "_cleanguard_own"
_TUNERS = "base_model.model."
_MERGES = ("merge_and_unload", "merge_adapter")


def twin_of(
    model: PreTrainedModel, keep: tuple[object, ...] = (), own: tuple[str, ...] = ()
) -> PreTrainedModel:
    """A copy of a model's modules, hooks and settings around the same parameters and buffers.

    Args:
        model: A guarded model.
        keep: Further objects that both hold, such as a tokenizer that is expensive to copy.
        own: Names of parameters that the copy gets for itself, since they will be overwritten.
    """
    named = dict(model.named_parameters(remove_duplicate=False))
    apart = {id(named[name]) for name in own}
    lent = [parameter for parameter in model.parameters() if id(parameter) not in apart]
    shared: list[object] = [*lent, *model.buffers(), *keep]
    # bitsandbytes' int8 layers keep the weight in a state object beside the parameter.
    shared += [m.state for m in model.modules() if type(m).__name__ == "Linear8bitLt"]
    shared.append(state_of(model).provenance)
    twin: PreTrainedModel = copy.deepcopy(model, {id(thing): thing for thing in shared})
    return twin


class Lent:
    """The weights of a model while something is tried on a copy of it.

    PiSSA, OLoRA, CorDA, LoRA-GA and LoftQ begin, on every load, by taking their part out of the base's
    weights, and write into parameters that the copy shares.

    Args:
        model: A model, as it is before.
        copied: Names of its parameters of which the copy gets its own.
    """

    def __init__(self, model: Any, copied: Sequence[str] = ()) -> None:
        self._held = [(each, each.data, _place(each)) for each in model.parameters()]
        named = dict(model.named_parameters(remove_duplicate=False))
        self._copied = {name: named[name] for name in copied}
        self._originals: dict[int, Any] = {}

    def twin(self, model: Any, keep: tuple[object, ...], own: tuple[str, ...] = ()) -> Any:
        """The copy; `own` are parameters that it gets for itself as well."""
        twin = twin_of(model, keep, own=(*own, *self._copied))
        named = dict(twin.named_parameters(remove_duplicate=False))
        self._originals = {id(named[name]): each for name, each in self._copied.items()}
        return twin

    def written(self, tuner: Any) -> tuple[str, ...]:
        """The weights under a tuner's adapters that are not what was lent, by their names in the base."""
        lent = {id(parameter): place for parameter, _, place in self._held}

        def is_other(weight: Any) -> bool:
            original = self._originals.get(id(weight))
            if original is None:
                return lent.get(id(weight)) != _place(weight)
            return not torch.equal(original, weight)

        return tuple(
            sorted(
                f"{path.removeprefix(_TUNERS)}.{key}"
                for path, module in tuner.named_modules()
                for key, weight in _under(module)
                if is_other(weight)
            )
        )

    def take_back(self) -> None:
        """Put what was written into a lent parameter's place back as it was."""
        for parameter, data, place in self._held:
            if _place(parameter) != place:
                parameter.data = data


def _under(module: Any) -> list[tuple[str, Any]]:
    below = getattr(module, "base_layer", None)
    # One adapter on another: the weights belong to the innermost.
    if below is None or hasattr(below, "base_layer"):
        return []
    return list(below.named_parameters(recurse=False))


def _place(parameter: Any) -> tuple[int, int]:
    """Where a parameter's numbers lie, and the version of what lies there."""
    local = parameter.to_local() if hasattr(parameter, "to_local") else parameter
    return local.data_ptr(), -1 if local.is_inference() else local._version


def protect_lender(tuner: Any, lender: PreTrainedModel | None) -> None:
    """Make merging an adapter be noted, and leave the weights of a model that lent them alone."""
    if lender is not None:
        _lenders[tuner] = ref(lender)
    for name in _MERGES:
        tuner.__dict__[name] = partial(_merge, tuner, name)
    protect_layers(tuner)


def protect_layers(tuner: Any) -> None:
    """The same for the merge of each adapted layer, which may be called by itself."""
    for layer in tuner.modules():
        if hasattr(layer, "base_layer") and callable(getattr(type(layer), "merge", None)):
            layer.__dict__["merge"] = partial(_merge_layer, tuner, layer)


def _merge(tuner: Any, name: str, *args: Any, **options: Any) -> Any:
    _before_a_merge(tuner)
    state_of(tuner.model).note("adapters-merged", adapters=list(tuner.active_adapters))
    return getattr(type(tuner), name)(tuner, *args, **options)


def _merge_layer(tuner: Any, layer: Any, *args: Any, **options: Any) -> Any:
    _before_a_merge(tuner)
    state, active = state_of(tuner.model), list(tuner.active_adapters)
    merges = (event for event in state.events if event.kind == "adapters-merged")
    if not any(set(active) <= set(event.detail["adapters"]) for event in merges):
        state.note("adapters-merged", adapters=active)
    return type(layer).merge(layer, *args, **options)


def _before_a_merge(tuner: Any) -> None:
    """Part from the lender, if it still lives and anything is shared with it yet."""
    lender = _lenders.get(tuner)
    if lender is None or next(_shared(tuner), None) is None:
        return
    gc.collect()  # a model refers to itself, so it goes only now
    if lender() is None:
        del _lenders[tuner]
        return
    for layer in list(_shared(tuner)):
        _unshare(layer)


def _shared(tuner: Any) -> Iterator[Any]:
    """The layers under adapters whose weights may be the lender's; merging writes into no others."""
    for module in tuner.modules():
        layer = getattr(module, "base_layer", None)
        if layer is not None and not getattr(layer, _OWN, False):
            yield layer


def _unshare(layer: Any) -> None:
    """Give an adapted layer weights of its own."""
    setattr(layer, _OWN, True)
    if type(layer).__name__ == "Linear8bitLt":
        layer.state = copy.copy(layer.state)
    for key, old in list(layer.named_parameters(recurse=False)):
        # A merge puts a new object in the place of a quantized weight.
        if type(old) is torch.nn.Parameter:
            own = torch.nn.Parameter(old.detach().clone(), old.requires_grad)
            setattr(layer, key, own)
