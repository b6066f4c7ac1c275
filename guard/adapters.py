"""Attaches PEFT adapters to a guarded model and records where they came from."""

from __future__ import annotations

import json
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guard import hub
from guard.errors import ModelNotFoundError, PickleWeightsError, SettingsError
from guard.measure import file_records
from guard.provenance import AdapterRecord
from guard.state import state_of
from guard.tensors import weights_record

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def attach_adapter(
    model: PreTrainedModel,
    path: str | PathLike[str],
    *,
    name: str = "default",
    is_trainable: bool = False,
) -> Any:
    """Put an adapter on a guarded model; the guard stays, and its lineage joins the provenance.

    Args:
        model: The base model; its layers are wrapped in place, as PEFT does.
        path: The adapter's directory.
        name: The adapter's name in PEFT.
        is_trainable: Its weights are to be trained further.

    Returns:
        The `PeftModel`, in evaluation mode unless `is_trainable`.

    Raises:
        ModelNotFoundError: No adapter lies there.
        PickleWeightsError: Its weights are pickled.
        SettingsError: The model has an adapter already.
        UnguardedModelError: The model was not loaded by CleanModelLoader.
        MissingExtraError: peft is not installed.
    """
    state = state_of(model)
    peft = hub.need("peft", "train")
    directory = Path(fspath(path)).expanduser()
    config = directory / "adapter_config.json"
    if not config.is_file():
        raise ModelNotFoundError(
            f"{directory} holds no adapter_config.json", remedy="name the directory that PEFT saved"
        )
    if not (directory / "adapter_model.safetensors").is_file():
        raise PickleWeightsError(f"{directory} holds no adapter_model.safetensors")
    if isinstance(model, peft.PeftModel):
        raise SettingsError(
            "the model has an adapter already",
            remedy="`model = model.merge_and_unload()` first, or load the base again",
        )
    named = json.loads(config.read_text(encoding="utf-8")).get("base_model_name_or_path")
    wrapped = peft.PeftModel.from_pretrained(
        model, str(directory), adapter_name=name, is_trainable=is_trainable
    )
    if not is_trainable:
        wrapped.eval()
    record = AdapterRecord(
        name, str(directory.resolve()), named, file_records(directory), weights_record(directory)
    )
    state.provenance = replace(state.provenance, adapters=(*state.provenance.adapters, record))
    return wrapped
