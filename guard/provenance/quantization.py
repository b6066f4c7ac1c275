"""Which layers of a loaded model are quantized and how, told by the layers themselves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from guard.files.hub import torch
from guard.provenance.record import QuantizationRecord

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_PACKED = (torch.int8, torch.uint8, torch.int32)
_PACKED_NAMES = ("weight", "qweight", "weight_packed", "codes", "W_q")


def quantization_of(model: PreTrainedModel) -> QuantizationRecord:
    """The quantized layers of a model, and the linear layers that are not."""
    kinds: Counter[str] = Counter()
    said: dict[str, set[Any]] = {"double": set(), "compute": set(), "storage": set()}
    thresholds: set[float] = set()
    whole: set[bool] = set()
    modules: list[str] = []
    left: list[str] = []
    for name, module in model.named_modules():
        kind = _kind(module, model)
        if kind is None:
            if _is_linear(module):
                left.append(name)
            continue
        kinds[kind] += 1
        modules.append(name)
        if type(module).__name__ == "Linear8bitLt":
            thresholds.add(float(module.state.threshold))
            whole.add(bool(module.state.has_fp16_weights))
        elif type(module).__name__ == "Linear4bit":
            state = getattr(module.weight, "quant_state", None)
            said["double"].add(bool(state.nested) if state is not None else False)
            said["storage"].add(dtype_name(module.weight.dtype))
            if module.compute_dtype is not None:
                said["compute"].add(dtype_name(module.compute_dtype))
    if not kinds:
        return QuantizationRecord("none", 0)
    return QuantizationRecord(
        kind=next(iter(kinds)) if len(kinds) == 1 else "mixed",
        layers=len(modules),
        double=all(said["double"]) if said["double"] else None,
        compute_dtype=", ".join(sorted(said["compute"])) or None,
        storage=", ".join(sorted(said["storage"])) or None,
        threshold=max(thresholds) if thresholds else None,
        fp16_weight=any(whole) if whole else None,
        modules=folded(modules),
        left=folded(left),
    )


def broken_layers(model: PreTrainedModel) -> list[str]:
    """Layers of bitsandbytes whose weights were never quantized: they compute with noise."""
    found = []
    for name, module in model.named_modules():
        kind, weight = type(module).__name__, getattr(module, "weight", None)
        if kind == "Linear4bit" and getattr(weight, "quant_state", None) is None:
            found.append(name)
        elif kind == "Linear8bitLt" and not module.state.has_fp16_weights:
            scales = getattr(weight, "SCB", None)
            if scales is None:
                scales = module.state.SCB
            if scales is None:
                found.append(name)
    return found


def folded(names: Iterable[str]) -> tuple[str, ...]:
    """Names of modules with the numbers in them written as ranges: `model.layers.0-23.mlp.up_proj`."""
    rows = [name.split(".") for name in names]
    width = max((len(row) for row in rows), default=0)
    for at in reversed(range(width)):
        groups: dict[tuple[Any, ...], list[str]] = {}
        for row in rows:
            if at < len(row) and row[at].isdigit():
                groups.setdefault((*row[:at], None, *row[at + 1 :]), []).append(row[at])
            else:
                groups[tuple(row)] = []
        rows = [
            [_ranges(numbers) if part is None else part for part in row]
            for row, numbers in groups.items()
        ]
    return tuple(sorted(".".join(row) for row in rows))


def _ranges(numbers: Iterable[str]) -> str:
    runs: list[list[int]] = []
    for number in sorted(map(int, numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def dtype_name(dtype: torch.dtype) -> str:
    """A torch dtype as it is written without `torch.`."""
    return str(dtype).removeprefix("torch.")


def _kind(module: torch.nn.Module, model: PreTrainedModel) -> str | None:
    name = type(module).__name__
    if name == "Linear8bitLt":
        return "int8"
    if name == "Linear4bit":
        return str(getattr(module.weight, "quant_type", "unquantized"))
    for weight_name, tensor in _own_tensors(module):
        if weight_name not in _PACKED_NAMES:
            continue
        kind = type(tensor)
        foreign = not kind.__module__.startswith("torch.") and kind is not torch.nn.Parameter
        if foreign or tensor.dtype in _PACKED or "float8" in str(tensor.dtype):
            what = kind.__name__ if foreign else name
            return f"{method_of(model) or 'unknown'} {what}"
    return None


def _own_tensors(module: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    for held in (module._parameters, module._buffers):
        yield from ((name, tensor) for name, tensor in held.items() if tensor is not None)


def _is_linear(module: torch.nn.Module) -> bool:
    return isinstance(module, torch.nn.Linear) or type(module).__name__ == "Conv1D"


def method_of(model: PreTrainedModel) -> str | None:
    """The quantization method that a loaded model's config names; None without one."""
    found = getattr(model.config, "quantization_config", None)
    if found is None:
        return None
    method = found.get("quant_method") if isinstance(found, dict) else found.quant_method
    return re.sub(r"^.*\.", "", str(getattr(method, "value", method)))
