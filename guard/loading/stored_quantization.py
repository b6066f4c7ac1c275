"""Checkpoints that are quantized already: what their config says of it, and what cannot be asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from guard.base.checks import CheckList
from guard.errors import GuardError, MissingExtraError, ModelNotFoundError, SettingsError
from guard.files.hub import transformers
from guard.files.request import LoadRequest
from guard.files.source import ModelSource
from guard.loading.config_values import summary
from guard.provenance.record import QuantizationRecord

BITSANDBYTES = "bitsandbytes"
# Packages that transformers names only after others are there, or by another name than pip's.
_PACKAGES: Mapping[str, str] = {
    "gptq": "optimum gptqmodel",
    "awq": "gptqmodel",
    "torchao": "torchao",
    "auto-round": "auto-round",
    "compressed-tensors": "compressed-tensors",
    "quanto": "optimum-quanto",
    BITSANDBYTES: "bitsandbytes",
}


def stored_method(source: ModelSource) -> str | None:
    """The method that config.json says the weights are quantized with; None for plain ones.

    Raises:
        ModelNotFoundError: It says so in a way that nothing can be made of.
    """
    stored = _stored(source)
    if stored is None:
        return None
    if not isinstance(stored, Mapping):
        raise _senseless(source, f"quantization_config is {type(stored).__name__}, no object")
    if stored.get("load_in_8bit") or stored.get("load_in_4bit"):
        return BITSANDBYTES
    method = stored.get("quant_method")
    if not isinstance(method, str):
        raise _senseless(source, f"quantization_config has quant_method {method!r}")
    return method


def refuse_stored(request: LoadRequest, source: ModelSource) -> str | None:
    """Refuse what cannot be had from a checkpoint that is quantized already; returns its method.

    Raises:
        ModelNotFoundError: transformers does not know the method, and would read packed numbers as
            weights.
        SettingsError: Another quantization, or another option, was asked for than the stored one.
    """
    method = stored_method(source)
    if method is None:
        return None
    from transformers.quantizers.auto import AUTO_QUANTIZER_MAPPING

    known = {name.removesuffix("_4bit").removesuffix("_8bit") for name in AUTO_QUANTIZER_MAPPING}
    if method not in known:
        close = get_close_matches(method.lower(), known, n=1)
        raise ModelNotFoundError(
            f"{request.model_id} is quantized with {method!r}, which transformers "
            f"{transformers.__version__} does not know and would pass over",
            evidence={"quant_method": method, "known": sorted(known)},
            remedy=(f"did you mean {close[0]!r} in config.json? " if close else "")
            + "name the unquantized checkpoint, or install a transformers that knows it",
        )
    if method != BITSANDBYTES:
        if request.quantization != "none":
            raise SettingsError(
                f"{request.quantization} was asked for, and {request.model_id} is quantized with "
                f"{method} already",
                remedy="leave out load_in_8bit and load_in_4bit, or name the unquantized checkpoint",
            )
        return method
    stored = _stored(source) or {}
    asked = {**request.options, "load_in_8bit": request.load_in_8bit or None}
    asked["load_in_4bit"] = request.load_in_4bit or None
    for name, value in asked.items():
        usual = transformers.BitsAndBytesConfig().to_dict().get(name)
        there = stored.get(name, usual)
        if value is not None and not _same(value, there):
            raise SettingsError(
                f"{name}={value!r} was asked for, and {request.model_id} is quantized already, with "
                f"{there!r}",
                remedy="leave it out, or name the unquantized checkpoint",
            )
    return method


def check_stored(source: ModelSource, measured: QuantizationRecord, checks: CheckList) -> None:
    """Note a checkpoint whose config says that it is quantized, and of which nothing is so here."""
    method = stored_method(source)
    if method is None:
        return
    if measured.layers:
        checks.add("quantized-as-stored")
        return
    said = (
        f"config.json says {method}, and no layer that was loaded is quantized: the weights were "
        "unpacked, or were never packed"
    )
    checks.add("quantized-as-stored", None, said, "recorded")


def stored_failure(error: Exception, method: str, request: LoadRequest) -> GuardError:
    """What to say where a quantized checkpoint could not be loaded: its method, and the reason."""
    reason = summary(error)
    said = f"{request.model_id} is quantized with {method}, and cannot be loaded here: {reason}"
    # Some methods say with a ValueError that their package is absent.
    if isinstance(error, ImportError) or "pip install" in reason:
        package = _PACKAGES.get(method)
        return MissingExtraError(
            said,
            remedy=(f"pip install {package}" if package else "install what it names")
            + ", or name the unquantized checkpoint",
        )
    return ModelNotFoundError(
        said, remedy="name the unquantized checkpoint, or load it where its method runs"
    )


def _stored(source: ModelSource) -> Any:
    config = source.read_json("config.json")
    inner = config.get("text_config")
    nested = inner.get("quantization_config") if isinstance(inner, dict) else None
    return config.get("quantization_config") or nested or None


def _same(asked: Any, stored: Any) -> bool:
    if isinstance(asked, (list, tuple, set, frozenset)):
        return set(asked) <= set(stored or ())
    if isinstance(asked, (bool, float, int)):
        return bool(asked == stored)
    return str(asked).removeprefix("torch.") == str(stored).removeprefix("torch.")


def _senseless(source: ModelSource, what: str) -> ModelNotFoundError:
    return ModelNotFoundError(
        f"config.json of {source.requested}: {what}", remedy="fetch the file again"
    )
