"""What a harness says of the model, as keywords of CleanModelLoader."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guard.base.keywords import refuse_unknown
from guard.errors import SettingsError
from guard.files.devices import refuse_absent_device
from guard.loader import LOADER_KEYWORDS
from stages.models import TINY, ModelConfig, directory_of

if TYPE_CHECKING:
    from guard import CleanModelLoader

# Arguments of lm-evaluation-harness' `hf` that mean something else here, and what.
_OTHERWISE: Mapping[str, str] = {
    "tokenizer": "leave it out: the tokenizer is the one in the model's folder",
    "backend": "leave it out: causal language models only",
    "truncation": "leave it out: a context that does not fit is cut from the left, and that is counted",
    "logits_cache": "leave it out: rows that the model reads alike are read once anyway",
    "add_bos_token": 'say bos=add or bos=none; without it every prompt gets what its family needs',
    "prefix_token_id": "leave it out: BOS, or the end of a text where the family has none",
    "delta": "merge the weights first, and name the merged model",
    "autogptq": "leave it out: config.json says how a checkpoint is quantized",
    "gptqmodel": "leave it out: config.json says how a checkpoint is quantized",
    "gguf_file": "name the original checkpoint: GGUF weights are quantized for another runtime",
    "mixed_precision_dtype": "say dtype=bfloat16: the model is loaded and run in it",
    "enable_thinking": "leave it out: it is a switch of chat templates",
    "think_end_token": "leave it out: it is a switch of chat models",
    "chat_template_args": "leave it out: templates are blocked",
    "use_fast_tokenizer": "leave it out: transformers 5 has one tokenizer for both",
    "parallelize": "say device_map=auto",
}  # fmt: skip
# What lm-evaluation-harness passes where its user said nothing.
HARNESS_DEVICE = "cuda:0"
_FALSE = (False, None, "False", "false")


def loader_for(
    harness: str, model: object, device: str | None, given: Mapping[str, Any]
) -> CleanModelLoader:
    """The loader for what a harness was told.

    Args:
        harness: Its name, for messages.
        model: A directory, a hub id, or `tiny` for the embedded model.
        device: Where the model goes; None is the first GPU, or the CPU where there is none.
        given: Keywords of the loader, by the names that the harness has for them.

    Raises:
        LoaderCallError: A keyword that does not exist, with the one that was meant.
        SettingsError: A keyword of the harness that has no meaning here, or a device that is absent.
    """
    from guard import CleanModelLoader

    options = keywords_of(harness, given)
    if options.get("device_map") is None:
        options["device_map"] = _placed(device)
    if not isinstance(model, (str, PathLike)):
        raise SettingsError(
            f"{harness}: the model is {model!r}", remedy="name a directory or a hub id"
        )
    named = model if isinstance(model, PathLike) else directory_of(ModelConfig(id=model))
    if model == TINY:
        _steady()
    return CleanModelLoader(named, **options)


def keywords_of(harness: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords of CleanModelLoader, without those of the harness that ask for what holds anyway.

    Raises:
        LoaderCallError: A keyword that does not exist, with the one that was meant.
        SettingsError: A keyword of the harness that has no meaning here.
    """
    options = dict(given)
    for name in [name for name in options if name in _OTHERWISE]:
        if options.pop(name) not in _FALSE:
            raise SettingsError(f"{harness}: {name} was given", remedy=_OTHERWISE[name])
    softmax = str(options.pop("softmax_dtype", None) or "float32").removeprefix("torch.")
    if softmax != "float32":
        raise SettingsError(
            f"{harness}: softmax_dtype={softmax}",
            remedy="leave it out: log-probabilities are computed in float32",
        )
    refuse_unknown(harness, options, LOADER_KEYWORDS)
    return options


def whole(name: str, value: Any, least: int = 1) -> int:
    """A whole number as a harness passes it, as number or text.

    Raises:
        SettingsError: It is none, or below `least`.
    """
    try:
        found = int(str(value))
    except ValueError:
        found = least - 1
    if isinstance(value, bool) or found < least:
        raise SettingsError(f"{name}={value!r}", remedy=f"{name} is a whole number from {least}")
    return found


def folder(name: str, value: Any) -> Path:
    """A folder that is there.

    Raises:
        SettingsError: It is not.
    """
    found = Path(str(value)).expanduser()
    if not found.is_dir():
        raise SettingsError(f"{name}: {value} is no folder", remedy="name an adapter's folder")
    return found


def _placed(device: str | None) -> str | None:
    from guard.files.hub import torch

    if device in (None, HARNESS_DEVICE):
        return HARNESS_DEVICE if torch.cuda.is_available() else None
    if device == "cpu":
        return None
    refuse_absent_device(device)
    return device


def _steady() -> None:
    """The embedded model is slower with more threads, and its numbers then depend on the load."""
    from guard.files.hub import torch

    torch.set_num_threads(1)
