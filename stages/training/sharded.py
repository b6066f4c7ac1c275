"""Weights that FSDP or ZeRO spread over the processes, read as a whole; plain ones are read as they are."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

ADAPTER_NAME = "default"


def whole(tensor: Any) -> Any:
    """A tensor of which FSDP keeps a part in each process; every process has to ask."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def whole_adapter(model: Any) -> dict[str, Any]:
    """The trained adapter's weights by name, on the CPU; every process has to ask.

    The base stays where it is: gathering it would need its memory once more.
    """
    return {
        name: _copy(parameter)
        for name, parameter in model.named_parameters()
        if ".lora_" in name and f".{ADAPTER_NAME}." in name
    }


def _copy(parameter: Any) -> Any:
    with _gathered(parameter):
        return whole(parameter.detach()).cpu().clone()


def _gathered(parameter: Any) -> Any:
    if not hasattr(parameter, "ds_id"):
        return nullcontext()
    import deepspeed

    return deepspeed.zero.GatheredParameters([parameter])
