"""What a caller asked CleanModelLoader for, checked before anything is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from guard.errors import SettingsError
from guard.files.quantization import OPTIONS, refuse_options, without_effect

if TYPE_CHECKING:
    import torch
    from torch.distributed import DeviceMesh

DeviceMap: TypeAlias = "str | int | torch.device | dict[str, Any] | None"
PaddingSide = Literal["left", "right"]
BosChoice = Literal["auto", "add", "none"]
PaddingChoice = Literal["auto", "files"]
SpecialTokens = Literal["refuse", "text"]
QuantizationName = Literal["none", "int8", "nf4", "fp4"]
_DTYPES = ("auto", "bfloat16", "float16", "float32", "float64")
_SWITCHES = (
    *("load_in_8bit", "load_in_4bit", "local_files_only", "trust_remote_code", "for_training"),
    *("allow_chat_model", "allow_adapter", "allow_pickle", "force_download", "offload_buffers"),
    "allow_missing_bos",
)
_CHOICES = {
    "bos": ("auto", "add", "none"),
    "padding": ("auto", "files"),
    "special_tokens": ("refuse", "text"),
}

_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "attn_implementation": ((str, dict), "a name such as sdpa, or a dict of them"),
    "cache_dir": ((str, PathLike), "a directory"),
    "token": ((str, bool), "a token of the hub, or True for the one that is logged in"),
    "max_memory": ((dict,), 'a dict such as {0: "20GiB", "cpu": "60GiB"}'),
    "variant": ((str,), "a text, such as fp16"),
    "offload_folder": ((str, PathLike), "a directory"),
    "tp_plan": ((str, dict), '"auto" or a dict'),
    "tp_size": ((int,), "a whole number"),
    "experts_implementation": ((str, dict), "a name such as grouped_mm"),
    "disable_mmap": ((bool,), "True or False"),
    "key_mapping": ((dict,), "a dict from regular expressions to names of tensors"),
}


def path_text(value: object, what: str) -> str:
    """A path or id as a string.

    Raises:
        SettingsError: It is neither a string nor a path; `what` says what was expected.
    """
    if isinstance(value, (str, PathLike)):
        found = fspath(value)
        if isinstance(found, str):
            return found
    raise SettingsError(
        f"{what} is {type(value).__name__}, not a string or a path", remedy=f"name {what}"
    )


def _refuse_device_map(value: Any) -> None:
    parts = value.values() if isinstance(value, dict) else (value,)
    for part in parts:
        is_device = type(part).__name__ == "device"  # torch's; it is not imported here
        if isinstance(part, bool) or not (
            part is None or is_device or isinstance(part, (str, int))
        ):
            raise SettingsError(
                f"device_map={value!r}",
                remedy='device_map is "auto", a device such as "cuda:0", or a dict of modules',
            )


def _refuse_key_mapping(value: dict[str, str] | None) -> None:
    for pattern, name in (value or {}).items():
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            raise SettingsError(
                f"key_mapping has {pattern!r}: {error}", remedy="give regular expressions as keys"
            ) from error
        if not isinstance(name, str):
            raise SettingsError(
                f"key_mapping names {name!r}", remedy="give names of tensors as values"
            )


def _refuse_other_kinds(model_class: object, config: object) -> None:
    if model_class is not None and not (
        isinstance(model_class, type) and callable(getattr(model_class, "from_pretrained", None))
    ):
        raise SettingsError(
            f"model_class={model_class!r}",
            remedy="give a class of models that has `from_pretrained`, not its name or an object of it",
        )
    if config is not None and not (
        isinstance(getattr(config, "model_type", None), str) and hasattr(config, "to_diff_dict")
    ):
        raise SettingsError(
            f"config is {type(config).__name__}",
            remedy="give a configuration of transformers, such as AutoConfig.from_pretrained returns",
        )


def _refuse_climbing(subfolder: object) -> None:
    parts = PurePosixPath(subfolder) if isinstance(subfolder, str) else None
    if parts is None or parts.is_absolute() or ".." in parts.parts:
        raise SettingsError(
            f"subfolder={subfolder!r}", remedy="name a folder inside the model's, such as 'weights'"
        )


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """The arguments of one load; see `CleanModelLoader` for their meaning.

    Raises:
        SettingsError: Arguments that contradict each other, or a model id that is no id.
    """

    model_id: str
    load_in_8bit: bool
    load_in_4bit: bool
    llm_int8_threshold: float | None
    llm_int8_skip_modules: Sequence[str] | None
    llm_int8_has_fp16_weight: bool | None
    llm_int8_enable_fp32_cpu_offload: bool | None
    bnb_4bit_quant_type: str | None
    bnb_4bit_use_double_quant: bool | None
    bnb_4bit_compute_dtype: str | torch.dtype | None
    bnb_4bit_quant_storage: str | torch.dtype | None
    dtype: str | torch.dtype
    device_map: DeviceMap
    attn_implementation: str | dict[str, str] | None
    revision: str | None
    cache_dir: str | PathLike[str] | None
    token: str | bool | None
    max_memory: dict[int | str, int | str] | None
    local_files_only: bool
    variant: str | None
    offload_folder: str | PathLike[str] | None
    tp_plan: str | dict[str, str] | None
    experts_implementation: str | None
    subfolder: str
    force_download: bool
    code_revision: str | None
    offload_buffers: bool
    tp_size: int | None
    device_mesh: DeviceMesh | None
    distributed_config: Any
    disable_mmap: bool | None
    key_mapping: dict[str, str] | None
    trust_remote_code: bool
    for_training: bool
    padding_side: PaddingSide | None
    allow_chat_model: bool
    allow_adapter: bool
    allow_pickle: bool
    bos: BosChoice = "auto"
    special_tokens: SpecialTokens = "refuse"
    padding: PaddingChoice = "auto"
    model_class: Any = None
    config: Any = None
    allow_missing_bos: bool = False
    side_said: bool = False

    def __post_init__(self) -> None:
        if not self.model_id.strip():
            raise SettingsError("the model id is empty", remedy="name a directory or a hub id")
        for name in _SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(
                    f"{name}={getattr(self, name)!r} is neither True nor False",
                    remedy=f"write {name}=True, or leave it out",
                )
        for name, (kinds, what) in _KINDS.items():
            value = getattr(self, name)
            if value is not None and (
                not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)
            ):
                raise SettingsError(f"{name}={value!r}", remedy=f"{name} is {what}")
        for name in ("revision", "code_revision"):
            named = getattr(self, name)
            if named is not None and not isinstance(named, str):
                raise SettingsError(
                    f"{name}={named!r} is no string", remedy="quote it: it may be a number"
                )
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise SettingsError(
                    f"{name}={getattr(self, name)!r}", remedy=f"{name} is one of {', '.join(known)}"
                )
        _refuse_other_kinds(self.model_class, self.config)
        _refuse_climbing(self.subfolder)
        _refuse_device_map(self.device_map)
        _refuse_key_mapping(self.key_mapping)
        known = _DTYPES if isinstance(self.dtype, str) else ()
        floats = bool(getattr(self.dtype, "is_floating_point", False))
        if self.dtype not in known and not floats:
            raise SettingsError(
                f"dtype={self.dtype!r} is no dtype to load weights in",
                remedy=f"one of {', '.join(_DTYPES)}, or such a torch dtype",
            )
        if self.load_in_8bit and self.load_in_4bit:
            raise SettingsError(
                "load_in_8bit and load_in_4bit are both set",
                remedy="a model is loaded in one of them",
            )
        refuse_options(self.options)
        if self.force_download and self.local_files_only:
            raise SettingsError(
                "force_download and local_files_only are both set",
                remedy="one fetches anew, the other fetches nothing",
            )
        of_files = self.padding == "files" and self.for_training
        if self.padding_side not in ("left", "right") and not (
            of_files and self.padding_side is None
        ):
            raise SettingsError(
                f"padding_side={self.padding_side!r}", remedy='it is "left" or "right"'
            )
        if self.padding_side == "right" and not self.for_training:
            raise SettingsError(
                "padding_side='right' is for training: a batch generated from right-padded prompts "
                "gives other texts",
                remedy="leave padding_side out, or pass for_training=True",
            )

    @property
    def quantization(self) -> QuantizationName:
        """The quantization that was asked for."""
        if self.load_in_4bit:
            return "fp4" if self.bnb_4bit_quant_type == "fp4" else "nf4"
        return "int8" if self.load_in_8bit else "none"

    @property
    def options(self) -> dict[str, Any]:
        """The options of bitsandbytes as they were said; None where they were not."""
        return {name: getattr(self, name) for name in OPTIONS}

    @property
    def idle_options(self) -> tuple[str, ...]:
        """The options of bitsandbytes that were said and have no effect on this load."""
        bits = 8 if self.load_in_8bit else 4 if self.load_in_4bit else None
        return without_effect(self.options, bits)

    @property
    def overrides(self) -> tuple[str, ...]:
        """The protections that the caller switched off, by argument name."""
        names = (
            *("allow_adapter", "allow_chat_model", "allow_missing_bos", "allow_pickle"),
            "trust_remote_code",
        )
        return tuple(name for name in names if getattr(self, name))
