"""Which model a stage loads, and how: one section of every stage's configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stages.config import option
from stages.placement import one_gpu
from stages.processes.ranks import local_rank, use_own_gpu, world_size

if TYPE_CHECKING:
    from guard import CleanModelLoader

TINY = "tiny"
_SHARDING = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")


@dataclass(frozen=True)
class ModelConfig:
    """The base model of a stage."""

    id: str = option(
        TINY, "Directory or hub id of the base model; `tiny` is the embedded one.", reads="model"
    )
    revision: str | None = option(None, "Commit of a hub repository; resolved if left out.")
    quant: Literal["none", "int8", "nf4"] = option("none", "Quantization with bitsandbytes.")
    dtype: str = option("auto", "Weights' dtype; `auto` is that of the checkpoint.")
    device_map: str | None = option(
        None, "As in from_pretrained; `auto`: one GPU where the model takes half of it, else all."
    )
    attn_implementation: str | None = option(None, "As in from_pretrained, such as `sdpa`.")
    local_files_only: bool = option(False, "Never ask the hub; use what the cache holds.")


# What the stages that only ask a model have in common; each takes a copy and adds its own.
TINY_MODEL: Mapping[str, Any] = {"model.id": TINY, "model.dtype": "float32"}
LARGE_MODEL: Mapping[str, Any] = {
    "model.id": "Qwen/Qwen2.5-32B",
    "model.quant": "int8",
    "model.dtype": "bfloat16",
    "model.device_map": "auto",
}
ASKING_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "tiny": {**TINY_MODEL, "max_new_tokens": 20, "batch_size": 256},
    "qwen2.5-32b": {**LARGE_MODEL, "batch_size": 32},
}


def loader_of(config: ModelConfig, *, for_training: bool = False) -> CleanModelLoader:
    """The loader for a configured model.

    The embedded model also pins torch to one thread: it is slower with more, and its numbers then
    do not depend on the machine's load.
    """
    use_own_gpu()
    if config.id == TINY:
        import torch

        torch.set_num_threads(1)
    map_of = placed(config)
    loader = _loader(config, map_of, for_training)
    if map_of == "auto" and (alone := one_gpu(loader.request, config.quant)) is not None:
        return _loader(config, alone, for_training)
    return loader


def _loader(
    config: ModelConfig, device_map: str | dict[str, int] | None, for_training: bool
) -> CleanModelLoader:
    from guard import CleanModelLoader

    return CleanModelLoader(
        directory_of(config),
        load_in_8bit=config.quant == "int8",
        load_in_4bit=config.quant == "nf4",
        revision=config.revision,
        dtype=config.dtype,
        device_map=device_map,
        attn_implementation=config.attn_implementation,
        local_files_only=config.local_files_only,
        for_training=for_training,
    )


def placed(config: ModelConfig) -> str | dict[str, int] | None:
    """With several processes, each keeps a whole model on its own GPU; FSDP and ZeRO place it themselves."""
    if any(os.environ.get(name, "false").lower() == "true" for name in _SHARDING):
        return None
    if config.device_map == "auto" and world_size() > 1:
        return {"": local_rank()}
    return config.device_map


def directory_of(config: ModelConfig) -> str | Path:
    """What CleanModelLoader takes as the model's id."""
    from stages.tiny import model_path

    return model_path() if config.id == TINY else config.id
