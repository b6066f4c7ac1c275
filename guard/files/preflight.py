"""Refuses a model by the names of its files, before weights are fetched or read."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from guard.errors import AdapterAsBaseError, MissingWeightsError, PickleWeightsError
from guard.files.request import LoadRequest

_PICKLED = ("pytorch_model*.bin", "model*.bin", "*.pth", "*.ckpt", "model*.pt", "pytorch_model*.pt")


def refuse_files(names: Iterable[str], where: str, request: LoadRequest) -> None:
    """Check the file names of a model.

    Args:
        names: File names at the top of the directory or repository; names in folders are ignored.
        where: The directory or repository, for the message.
        request: What was asked for and allowed.

    Raises:
        AdapterAsBaseError: An adapter lies there, and transformers would attach it.
        MissingWeightsError: No weights, or only a format that is not loaded here.
        PickleWeightsError: Only pickled weights.
    """
    top = {name for name in names if "/" not in name}
    safe = _matching(top, ("*.safetensors",)) - _matching(top, ("adapter_*", "consolidated*"))
    pickled = _matching(top, _PICKLED)
    if "adapter_config.json" in top and not request.allow_adapter:
        raise AdapterAsBaseError(
            f"{where} holds adapter_config.json, so transformers would attach that adapter to "
            "whatever it loads from there",
            evidence={"files": sorted(_matching(top, ("adapter_*",)))},
            remedy="load the base by its own name and call `loader.attach_adapter(model, path)`"
            if not (safe or pickled)
            else "remove the adapter files from the model's directory, or pass allow_adapter=True",
        )
    if safe:
        return
    if pickled and not request.allow_pickle:
        raise PickleWeightsError(
            f"{where} holds pickled weights only ({', '.join(sorted(pickled))})",
            evidence={"files": sorted(pickled)},
            remedy="convert them to safetensors, or pass allow_pickle=True",
        )
    if not pickled and not request.allow_adapter:
        found = _matching(top, ("*.gguf",))
        what = f"only GGUF files ({', '.join(sorted(found))})" if found else "no weights"
        raise MissingWeightsError(
            f"{where} holds {what}: there is no *.safetensors file in it",
            evidence={"files": sorted(top)[:50]},
            remedy="GGUF weights are quantized for another runtime; name the original checkpoint"
            if found
            else "name a directory that holds config.json and *.safetensors, or a hub id",
        )


def _matching(names: Iterable[str], patterns: tuple[str, ...]) -> set[str]:
    return {name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)}
