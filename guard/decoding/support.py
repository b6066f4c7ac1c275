"""Which models the fixed buffers fit: asked of the library and of the loaded model, never of a name."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from guard.base.caches import keyword_of
from guard.base.modes import unwrapped
from guard.files.hub import torch
from guard.files.hub import transformers as _transformers
from guard.prompts.state import adapter_kind

_library: Any = _transformers.cache_utils
_BEYOND = 1 << 40  # longer than any window, so that a sliding layer says its own
_KINDS = ("full_attention", "sliding_attention")
_IMPLEMENTATIONS = ("sdpa", "eager")
# What these kinds of PEFT's do to a token depends on that token alone, wherever it is read.
_BY_POSITION = frozenset({
    "ADALORA", "ADAMSS", "BEFT", "BOFT", "BONE", "C3A", "DEFT", "DELORA", "FOURIERFT", "FROD", "GLORA", "GRALORA",
    "HIRA", "HRA", "IA3", "LN_TUNING", "LOHA", "LOKR", "LORA", "MISS", "OFT", "OSF", "PEANUT", "PSOFT", "PVERA",
    "RANDLORA", "ROAD", "SHIRA", "SUPERTUNING", "TINYLORA", "TRAINABLE_TOKENS", "UNILORA", "VBLORA", "VERA", "WAVEFT",
})  # fmt: skip


class NoRoad(Exception):  # noqa: N818 - no error: the plain road is taken, and told
    """A model, a setting or the memory does not let a batch go this way.

    Attributes:
        lasting: It holds for every batch of this model.
    """

    def __init__(self, reason: str, *, lasting: bool = True) -> None:
        super().__init__(reason)
        self.reason, self.lasting = reason, lasting


@dataclass(frozen=True, slots=True)
class Support:
    """How a model takes fixed buffers.

    Attributes:
        sliding_layers: For each layer, whether it sees a window only.
        kinds: The kinds of its layers, as the library names them.
        by_kind: It takes masks by the kind of the layer.
        reach: Slots that a sliding layer sees, the newest included.
        few_logits: It can be told to compute the last positions' logits alone.
        cache: The keyword of its cache.
    """

    sliding_layers: tuple[bool, ...]
    kinds: tuple[str, ...]
    by_kind: bool
    reach: int
    few_logits: bool
    cache: str

    @property
    def sliding(self) -> bool:
        """Whether any layer sees a window only."""
        return any(self.sliding_layers)


def by_position(config: Any) -> bool:
    """Whether an adapter does to a token the same wherever it stands, and needs nothing but its layers.

    Args:
        config: PEFT's. An activated LoRA (`alora_invocation_tokens`) works behind these tokens only, which
            PEFT's own `forward` and `generate` look for.
    """
    return adapter_kind(config) in _BY_POSITION and not getattr(
        config, "alora_invocation_tokens", None
    )


def inner_of(model: Any) -> Any:
    """The transformers model within an adapter's wrapper: adapted layers sit in its modules."""
    if not hasattr(model, "peft_config"):
        return model
    for one in model.peft_config.values():
        if getattr(one, "is_prompt_learning", False):
            raise NoRoad("its adapter is a learned prompt")
        if not by_position(one):
            raise NoRoad(f"its adapter ({type(one).__name__}) looks at more than one token")
    return unwrapped(model)


def support_of(model: Any) -> Support:
    """Ask what a transformers model can do; raises NoRoad where it needs the library's own loop."""
    if model.config.is_encoder_decoder:
        raise NoRoad("it has an encoder")
    config = model.config.get_text_config()
    attention = config._attn_implementation
    if attention not in _IMPLEMENTATIONS:
        raise NoRoad(f"its attention is {attention!r}, which takes no such masks")
    if hasattr(type(model), "create_masks_for_generate"):
        raise NoRoad("its masks are its own")
    mixin = _transformers.GenerationMixin
    for name in ("generate", "prepare_inputs_for_generation", "_sample"):
        if getattr(type(model), name, None) is not getattr(mixin, name):
            raise NoRoad(f"its {name} is its own, and is called")
    names = inspect.signature(model.forward).parameters
    cache = keyword_of(model)
    if cache is None or not {"position_ids", "attention_mask"} <= names.keys():
        raise NoRoad("it does not take positions, a cache and a mask")
    sliding, reach = _layers(config)
    by_kind = _takes_masks_by_kind(model)
    kinds = tuple(dict.fromkeys(_KINDS[one] for one in sliding))
    if len(kinds) > 1 and not by_kind:
        raise NoRoad("its config has layers of two kinds, and its class takes one mask")
    return Support(tuple(sliding), kinds, by_kind, reach, "logits_to_keep" in names, cache)


def _takes_masks_by_kind(model: Any) -> bool:
    """Whether the decoder's own code looks for a dict of masks; the config may say what it does not read."""
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else model.base_model
    code = getattr(inspect.unwrap(type(decoder).forward), "__code__", None)
    return code is not None and "dict" in code.co_names


def _layers(config: Any) -> tuple[list[bool], int]:
    """For each layer whether it slides, and how far; as the library's static cache has it."""
    types = getattr(config, "layer_types", None)
    if types is not None and not set(types) <= set(_KINDS):
        raise NoRoad(f"it has layers of kind {sorted(set(types) - set(_KINDS))[0]!r}")
    if types is None and getattr(config, "attention_chunk_size", None) is not None:
        raise NoRoad("its layers attend in chunks")
    try:
        layers = _library.StaticCache(config=config, max_cache_len=_BEYOND).layers
    except (KeyError, ValueError, TypeError, AttributeError, NotImplementedError) as error:
        raise NoRoad("the library has no static cache for it") from error
    known = (_library.StaticLayer, _library.StaticSlidingWindowLayer)
    strange = next((one for one in layers if type(one) not in known), None)
    if strange is not None or not layers:
        raise NoRoad(f"its static cache has a {type(strange).__name__}")
    windows = {one.max_cache_len for one in layers if _slides(one)}
    if len(windows) > 1:
        raise NoRoad("its windows differ in length")
    return [_slides(one) for one in layers], windows.pop() if windows else _BEYOND


def _slides(layer: Any) -> bool:
    return isinstance(layer, _library.StaticSlidingWindowLayer)


def refuse_uncapturable(model: Any) -> None:
    """Raise NoRoad for what a captured step would leave out or stop at."""
    if not getattr(type(model), "_can_compile_fullgraph", False):
        raise NoRoad("the library says that it cannot be captured")
    places = {str(place) for place in (getattr(model, "hf_device_map", None) or {}).values()}
    if len(places) > 1 or places & {"cpu", "disk"}:
        raise NoRoad("it is spread over several devices")
    if getattr(model, "_device_mesh", None) is not None:
        raise NoRoad("its layers are split over several devices")
    for name, module in model.named_modules():
        threshold = getattr(getattr(module, "state", None), "threshold", None)
        if isinstance(threshold, float) and threshold > 0:
            raise NoRoad("int8 with an outlier threshold waits for the host in every layer")
        if (hook := next(_foreign_hooks(module), None)) is not None:
            raise NoRoad(f"the hook {hook} on {name or 'the model'} would not run")


# Whose modules take passes that nobody asked for without a trace.
_LIBRARIES = frozenset(
    "torch transformers transformers_modules peft bitsandbytes accelerate guard stages trl optimum gptqmodel auto_gptq "  # noqa: SIM905
    "awq hqq torchao kernels flash_attn mamba_ssm deepspeed fairscale compressed_tensors quanto fbgemm_gpu".split()
)


def refuse_looked_into(model: Any) -> None:
    """Raise NoRoad for what somebody looks into or has changed: it would meet passes that nobody asked for.

    The road is tried on rows of its own before the first batch, and pads differently.
    """
    for name, module in model.named_modules():
        if (hook := next(_foreign_hooks(module), None)) is not None:
            reason = f"the hook {hook} on {name or 'the model'} would see passes of its own"
            raise NoRoad(reason, lasting=False)
        if "forward" in vars(module) and not hasattr(module, "_hf_hook"):
            raise NoRoad(f"`forward` of {name or 'the model'} is somebody's own", lasting=False)
        if type(module).__module__.partition(".")[0] not in _LIBRARIES:
            raise NoRoad(f"{name or 'the model'} is a module of somebody's own", lasting=False)


def keeps_tensors(model: Any) -> bool:
    """Whether something takes tensors along from a forward pass: a hook, or positions that rescale."""
    return any(
        next(_foreign_hooks(module), None) is not None
        or "dynamic" in (rope := str(getattr(module, "rope_type", "")))
        or rope == "longrope"
        for module in model.modules()
    )


def _foreign_hooks(module: torch.nn.Module) -> Iterator[str]:
    for hook in (*module._forward_hooks.values(), *module._forward_pre_hooks.values()):
        home = getattr(hook, "__module__", "") or ""
        if not home.startswith(("guard.", "transformers.", "peft.")):
            yield getattr(hook, "__qualname__", type(hook).__name__)


def config_print(model: Any) -> int:
    """Changes with every plain value of a model's configuration; after a change it is another model."""
    plain = (bool, int, float, str, type(None))
    told = [
        (name, value if isinstance(value, plain) else str(value))
        for one in {id(one): one for one in (model.config, model.config.get_text_config())}.values()
        for name, value in vars(one).items()
        if isinstance(value, (*plain, list, tuple, dict))
    ]
    return hash(tuple(told))


def fingerprint(model: Any) -> int:
    """Changes with every tensor that a captured step reads and every number that it has baked in."""
    told: list[Any] = [one.data_ptr() for one in model.parameters()]
    told += [one.data_ptr() for one in model.buffers()]
    for module in model.modules():
        if hasattr(module, "_disable_adapters"):
            told += [
                module._disable_adapters,
                tuple(getattr(module, "active_adapters", ())),
                tuple(getattr(module, "merged_adapters", ())),
                tuple(sorted(getattr(module, "scaling", {}).items())),
            ]
    return hash(tuple(told))
