"""Measures a loaded model and its files for provenance."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from guard.base.checks import CheckList
from guard.files.hub import torch
from guard.files.source import ModelSource, file_names
from guard.provenance.digests import file_records_of
from guard.provenance.quantization import dtype_name, quantization_of
from guard.provenance.record import FileRecord, ModelRecord
from guard.provenance.tensors import weights_record

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_RECORDED = re.compile(r".*\.(safetensors|bin|json|jinja|model|txt|py|tiktoken)")


def file_records(directory: Path) -> tuple[FileRecord, ...]:
    """Records of the files in a directory that decide what a model computes, by name."""
    chosen = [name for name in file_names(directory) if _RECORDED.fullmatch(name)]
    return file_records_of(directory / name for name in chosen)


def check_hub_files(files: Sequence[FileRecord], checks: CheckList) -> None:
    """Note whether files in the hub's cache were edited since they were fetched."""
    edited = [file.name for file in files if file.intact is False]
    if edited:
        said = f"{', '.join(edited)} differ from what the commit holds"
        checks.add("hub-files-intact", None, said, "recorded")
    elif any(file.intact for file in files):
        checks.add("hub-files-intact")


def model_record(
    model: PreTrainedModel,
    source: ModelSource,
    revision_requested: str | None,
    variant: str | None = None,
    unused: Sequence[str] = (),
) -> ModelRecord:
    """What was loaded, as found in the model object and in its files.

    Args:
        model: The loaded model.
        source: Where its files are.
        revision_requested: As the caller gave it.
        variant: The variant of the weights that was loaded.
        unused: Stored tensors that no part of the model takes.
    """
    numbers: Counter[torch.dtype] = Counter()
    places: set[torch.device] = set()
    for parameter in model.parameters():
        numbers[parameter.dtype] += parameter.numel()
        places.add(parameter.device)
    dtypes = {dtype_name(dtype): count for dtype, count in numbers.items()}
    return ModelRecord(
        kind=source.kind,
        path=str(source.directory),
        revision_requested=revision_requested,
        revision=source.revision,
        architecture=type(model).__name__,
        parameters=sum(dtypes.values()),
        dtypes=dict(sorted(dtypes.items())),
        devices=tuple(sorted(map(str, places))),
        attention=getattr(model.config, "_attn_implementation", None),
        context=context_of(model),
        quantization=quantization_of(model),
        files=file_records(source.directory),
        weights=weights_record(source.directory, variant),
        unused=tuple(unused),
        tied=is_tied(model),
    )


def is_tied(model: PreTrainedModel) -> bool | None:
    """Whether the output head is the embedding itself; None where one of them has no weight."""
    head = getattr(model.get_output_embeddings(), "weight", None)
    embedding = getattr(model.get_input_embeddings(), "weight", None)
    if head is None or embedding is None:
        return None
    return head is embedding or (
        head.device.type != "meta"
        and head.data_ptr() == embedding.data_ptr()
        and head.shape == embedding.shape
    )


def context_of(model: PreTrainedModel) -> int | None:
    """Most positions that the model was made for, as its config says; None where it sets no limit."""
    config = model.config.get_text_config()
    found = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    return int(found) if found and found > 0 else None  # XLNet's is -1
