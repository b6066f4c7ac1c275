"""Turns the options of bitsandbytes into a config for transformers, and settles what it leaves open.

`llm_int8_skip_modules` takes the place of the modules that transformers leaves alone by default, so
one more module would cost the output head. Here it adds to them.
"""

from __future__ import annotations

import copy
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from guard.errors import MissingWeightsError, SettingsError
from guard.files.hub import torch, transformers
from guard.files.request import LoadRequest
from guard.provenance.quantization import broken_layers, quantization_of

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

_DTYPE_FIELDS = ("bnb_4bit_compute_dtype", "bnb_4bit_quant_storage")


def bitsandbytes_config(
    request: LoadRequest, config: PreTrainedConfig | None, *, trusted: bool
) -> Any:
    """The `BitsAndBytesConfig` of a request.

    Args:
        request: What was asked for.
        config: The model's, which says what its modules are; None where it cannot be read.
        trusted: Whether the repository's own code may run.

    Raises:
        SettingsError: A name in `llm_int8_skip_modules` that leaves no module alone.
    """
    idle = request.idle_options
    said = {
        name: value
        for name, value in request.options.items()
        if value is not None and name not in idle
    }
    for name in _DTYPE_FIELDS:
        if isinstance(said.get(name), str):
            said[name] = getattr(torch, said[name])
    if "llm_int8_threshold" in said:
        said["llm_int8_threshold"] = float(said["llm_int8_threshold"])
    named = tuple(said.pop("llm_int8_skip_modules", ()))
    if named:
        said["llm_int8_skip_modules"] = _left_alone(named, config, trusted)
    if request.load_in_8bit:
        return transformers.BitsAndBytesConfig(load_in_8bit=True, **said)
    usual = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}
    return transformers.BitsAndBytesConfig(load_in_4bit=True, **{**usual, **said})


def settle_compute_dtype(model: PreTrainedModel, request: LoadRequest) -> None:
    """Let 4-bit layers compute in the dtype of the rest, unless another was asked for.

    It is known only once the weights are there: a config may be silent about it, and transformers
    takes it from the files then.
    """
    if not request.load_in_4bit or request.bnb_4bit_compute_dtype is not None:
        return
    for module in model.modules():
        if type(module).__name__ == "Linear4bit":
            module.compute_dtype = model.dtype
    model.config.quantization_config.bnb_4bit_compute_dtype = model.dtype


def refuse_unquantized(model: PreTrainedModel, request: LoadRequest) -> None:
    """Refuse a model with layers that should be quantized and are not.

    Raises:
        MissingWeightsError: Layers of bitsandbytes hold weights that were never quantized.
        SettingsError: Quantization was asked for and no layer has it.
    """
    broken = broken_layers(model)
    if broken:
        raise MissingWeightsError(
            f"config.json of {request.model_id} says that its weights are quantized, and those of "
            f"{len(broken)} layers are not ({', '.join(broken[:3])}, …)",
            evidence={"layers": broken[:50]},
            remedy="take quantization_config out of config.json, or fetch the weight files again",
        )
    if request.quantization == "none" or quantization_of(model).layers:
        return
    offloads = request.llm_int8_enable_fp32_cpu_offload
    raise SettingsError(
        f"{request.quantization} was asked for, and no layer was quantized",
        evidence={"device_map": str(getattr(model, "hf_device_map", None))},
        remedy="llm_int8_enable_fp32_cpu_offload leaves all alone that lies on a CPU, and here all of "
        "it does: leave it out, or name GPUs in device_map"
        if offloads
        else "look at llm_int8_skip_modules",
    )


def _left_alone(
    named: tuple[str, ...], config: PreTrainedConfig | None, trusted: bool
) -> list[str]:
    """The modules that are left alone by default, and those that were named."""
    if config is None:
        raise SettingsError(
            "llm_int8_skip_modules, and the model's config.json cannot be read",
            remedy="name the base itself: behind an adapter nobody knows what its modules are",
        )
    from transformers.pytorch_utils import Conv1D
    from transformers.quantizers.base import get_keys_to_not_convert
    from transformers.quantizers.quantizers_utils import should_convert_module

    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(
            copy.deepcopy(config), trust_remote_code=trusted
        )
    modules = dict(model.named_modules())
    linear = [
        name for name, module in modules.items() if isinstance(module, (torch.nn.Linear, Conv1D))
    ]
    for pattern in named:
        skipped = [name for name in modules if name and not should_convert_module(name, [pattern])]
        # A container that is skipped itself does not skip what is in it.
        holding = [s for s in skipped if any(name.startswith(f"{s}.") for name in linear)]
        if not skipped or (holding and not set(skipped) & set(linear)):
            ends = {name.rpartition(".")[2] for name in modules if name}
            close = holding or get_close_matches(pattern, [*modules, *sorted(ends)], n=1)
            raise SettingsError(
                f"llm_int8_skip_modules names {pattern!r}, which leaves no module of this model alone",
                evidence={"name": pattern, "linear": linear[:50]},
                remedy=(f"did you mean {close[0]!r}? " if close else "")
                + "it takes names from the root, regular expressions, or the end of a linear layer's",
            )
    return [*sorted(get_keys_to_not_convert(model)), *named]
