"""Refuses a device that is not here, before anything is read for it."""

from __future__ import annotations

from typing import Any

from guard.errors import SettingsError
from guard.files.hub import torch

_PLANS = frozenset({"auto", "balanced", "balanced_low_0", "sequential", "disk"})


def refuse_absent_device(device_map: Any) -> None:
    """Raise SettingsError if a device map names a device that torch does not know or see.

    Args:
        device_map: As in `from_pretrained`.
    """
    named = device_map.values() if isinstance(device_map, dict) else (device_map,)
    for name in named:
        if name is None or name in _PLANS:
            continue
        try:
            device = torch.device(name)
        except RuntimeError as error:
            # A number is an accelerator's, and there may be none.
            here = [] if isinstance(name, int) else [*sorted(_PLANS - {"disk"}), "cpu"]
            raise SettingsError(
                f"device_map={device_map!r}: {str(error).splitlines()[0]}",
                remedy=f"name a device such as cuda:0, or one of {', '.join(here)}"
                if here
                else 'this machine has no accelerator that torch sees: leave it out, or "cpu"',
            ) from error
        if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            raise SettingsError(
                f"device_map={device_map!r}, and torch sees {torch.cuda.device_count()} CUDA devices",
                remedy='leave it out, say device_map="auto", or look at CUDA_VISIBLE_DEVICES and at '
                "which torch is installed",
            )


def memory_is_full(error: BaseException) -> bool:
    """Whether an error says that memory is full; on a CPU torch raises a plain RuntimeError."""
    said = str(error)
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(
        words in said for words in ("can't allocate memory", "not enough memory", "out of memory")
    )
