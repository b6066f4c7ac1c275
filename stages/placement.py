"""Where a single process puts its model when it sees several GPUs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guard.files.request import LoadRequest

# Upper bounds of what a byte of the checkpoint takes once it is loaded; embedding and head stay whole.
_PACKED = {"none": 1.0, "int8": 0.7, "nf4": 0.5}
_SHARE = 0.5  # of the memory that is free; keys, activations and gradients take the rest
_log = logging.getLogger("cleanguard.models")


def one_gpu(request: LoadRequest, quant: str) -> dict[str, int] | None:
    """The GPU with the most free memory, if there are several and the whole model takes at most half of it.

    `auto` of the library spreads over all GPUs whatever the size, and layers on several devices wait for each
    other and cannot be decoded by captured steps.

    Args:
        request: The load; its files are fetched if they are not there.
        quant: `none`, `int8` or `nf4`.

    Returns:
        A device map for that GPU; None for the library's own way.

    Raises:
        GuardError: As `CleanModelLoader.load`, for a model that is not to be had.
    """
    import torch

    if not torch.cuda.is_available() or torch.cuda.device_count() < 2:
        return None
    from guard.files.source import fetch_weights, open_source

    source = open_source(request)
    fetch_weights(request, source)
    size = sum(
        (source.directory / name).stat().st_size
        for name in source.names()
        if name.endswith((".safetensors", ".bin"))
    )
    wider = 2.0 if str(request.dtype).removeprefix("torch.") == "float32" else 1.0
    needed = size * _PACKED[quant] * (wider if quant == "none" else 1.0)
    free = [torch.cuda.mem_get_info(number)[0] for number in range(torch.cuda.device_count())]
    roomiest = max(range(len(free)), key=free.__getitem__)
    if not needed or needed > _SHARE * free[roomiest]:
        return None
    _log.info(
        "the model goes to GPU %d alone: about %.0f of the %.0f GB that are free there; torchrun uses all GPUs",
        roomiest, needed / 1e9, free[roomiest] / 1e9,
    )  # fmt: skip
    return {"": roomiest}
