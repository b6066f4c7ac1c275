"""What the adapters in a model are now: a digest over their tensors and scales as they lie in it.

The digest of an adapter's file says what was put in. Adapters that peft adds, mixes, loads over
another or trains are seen here, since nothing else is looked at than the model itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from guard.files.hub import torch

# What a LoRA layer may have beside its two factors.
_MORE_THAN_FACTORS = ("lora_magnitude_vector", "lora_E")
Signature = tuple[tuple[int, int, float, float], ...]


@dataclass(slots=True)
class _Known:
    """What was seen of a tuner: its layers as of a set of configs, digests and what they were of."""

    configs: tuple[tuple[str, int], ...]
    layers: list[tuple[str, Any]]
    digests: dict[str, tuple[Signature, str]] = field(default_factory=dict)


_known: WeakKeyDictionary[Any, _Known] = WeakKeyDictionary()


def live_adapters(model: Any) -> dict[str, str]:
    """The adapters of a model and the sha256 of each as it is now, as hex; empty for a base.

    Measured anew only where tensors or scales were changed or replaced since the last look. What is
    written through `.data`, as peft's hotswap does, leaves a tensor's version: its norm is looked at too.
    """
    if not getattr(model, "peft_config", None):
        return {}
    known = _look(model)
    found = {}
    for name in model.peft_config:
        parts = list(_parts(known.layers, name))
        sizes = _sizes([tensor for _, tensor, _ in parts])
        signature = tuple(
            (id(t), _version(t), scale, size)
            for (_, t, scale), size in zip(parts, sizes, strict=True)
        )
        if name not in known.digests or known.digests[name][0] != signature:
            known.digests[name] = (signature, _digest(parts))
        found[name] = known.digests[name][1]
    return found


def _look(model: Any) -> _Known:
    """The adapter layers of a model, walked through anew only where peft put in others."""
    configs = tuple((name, id(config)) for name, config in model.peft_config.items())
    known = _known.get(model.base_model)
    if known is None or known.configs != configs:
        known = _Known(configs, list(_layers(model)), known.digests if known else {})
        _known[model.base_model] = known
    return known


def merged_adapters(model: Any) -> tuple[str, ...]:
    """The adapters that are merged into the weights of a model right now, sorted."""
    if not getattr(model, "peft_config", None):
        return ()
    layers = (layer for _, layer in _look(model).layers)
    return tuple(sorted({n for la in layers for n in getattr(la, "merged_adapters", None) or ()}))


def is_idle(model: Any, name: str) -> bool:
    """Whether a LoRA adapter adds nothing anywhere: one of its factors, or its scale, is zero.

    Of adapters of other kinds nothing is said.
    """
    layers = [layer for _, layer in _layers(model) if name in getattr(layer, "r", ())]
    return bool(layers) and all(_adds_nothing(layer, name) for layer in layers)


def _adds_nothing(layer: Any, name: str) -> bool:
    if any(name in (getattr(layer, kind, None) or ()) for kind in _MORE_THAN_FACTORS):
        return False
    scale = getattr(layer, "scaling", None)
    if isinstance(scale, dict) and scale.get(name) == 0:
        return True
    factors = [
        getattr(held[name], "weight", held[name])
        for kind in ("lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B")
        if name in (held := getattr(layer, kind, None) or {})
    ]
    plain = all(
        isinstance(f, torch.Tensor) and f.device.type != "meta" and not hasattr(f, "to_local")
        for f in factors
    )
    return bool(factors) and plain and any(not bool(factor.detach().any()) for factor in factors)


def has_adapter_layers(model: Any) -> bool:
    """Whether peft put layers into a model, in place or around it."""
    return next(_layers(model), None) is not None


def _layers(model: Any) -> Iterator[tuple[str, Any]]:
    for path, module in model.named_modules():
        # Prompts that were learned lie beside the model, under the adapter's name as well.
        if getattr(module, "adapter_layer_names", None) or path == "prompt_encoder":
            yield path, module


def _parts(layers: list[tuple[str, Any]], name: str) -> Iterator[tuple[str, torch.Tensor, float]]:
    """Each tensor of an adapter with its place and the scale of its layer (0 where there is none)."""
    for path, layer in layers:
        scale = getattr(layer, "scaling", None)
        factor = scale.get(name, 0.0) if isinstance(scale, dict) else 0.0
        for kind in getattr(layer, "adapter_layer_names", ("",)):
            held = getattr(layer, kind, None) if kind else layer
            if held is None or not hasattr(held, "keys") or name not in held:
                continue
            part = held[name]
            if isinstance(part, torch.Tensor):
                yield f"{path}.{kind}", part, float(factor)
            elif isinstance(part, torch.nn.Module):
                for inner, tensor in (*part.named_parameters(), *part.named_buffers()):
                    yield f"{path}.{kind}.{inner}", tensor, float(factor)


def _version(tensor: torch.Tensor) -> int:
    return -1 if tensor.is_inference() else int(tensor._version)


def _sizes(tensors: list[torch.Tensor]) -> list[float]:
    """The norm of each tensor, measured together for a device and a dtype; 0 where it lies elsewhere."""
    found = [0.0] * len(tensors)
    groups: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for at, tensor in enumerate(tensors):
        here = tensor.device.type != "meta" and not hasattr(tensor, "to_local")
        if here and tensor.is_floating_point() and tensor.itemsize > 1:
            groups.setdefault((tensor.device, tensor.dtype), []).append(at)
    for places in groups.values():
        norms = torch._foreach_norm([tensors[at].detach() for at in places])
        for at, norm in zip(places, torch.stack(norms).tolist(), strict=True):
            found[at] = norm if norm == norm else -1.0  # NaN differs from itself at every look
    return found


def _digest(parts: list[tuple[str, torch.Tensor, float]]) -> str:
    total = hashlib.sha256()
    for path, tensor, scale in sorted(parts, key=lambda part: part[0]):
        if tensor.device.type == "meta":
            content = "offloaded"
        elif hasattr(tensor, "to_local"):  # FSDP 2: each process holds a part, and none the whole
            content = "sharded"
        else:
            plain = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
            content = hashlib.sha256(plain.numpy().tobytes()).hexdigest()
        total.update(f"{path} {tensor.dtype} {tuple(tensor.shape)} {scale!r} {content}\n".encode())
    return total.hexdigest()
