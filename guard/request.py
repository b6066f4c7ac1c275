"""What a caller asked CleanModelLoader for, checked before anything is read."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from guard.errors import SettingsError

if TYPE_CHECKING:
    import torch

PaddingSide = Literal["left", "right"]
QuantizationName = Literal["none", "int8", "nf4"]


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """The arguments of one load; see `CleanModelLoader` for their meaning.

    Raises:
        SettingsError: Arguments that contradict each other, or a model id that is no id.
    """

    model_id: str
    load_in_8bit: bool
    load_in_4bit: bool
    dtype: str | torch.dtype
    device_map: str | dict[str, Any] | None
    attn_implementation: str | None
    revision: str | None
    cache_dir: str | PathLike[str] | None
    token: str | bool | None
    max_memory: dict[int | str, int | str] | None
    local_files_only: bool
    variant: str | None
    offload_folder: str | PathLike[str] | None
    tp_plan: str | dict[str, str] | None
    experts_implementation: str | None
    trust_remote_code: bool
    for_training: bool
    padding_side: PaddingSide
    allow_chat_model: bool
    allow_adapter: bool
    allow_pickle: bool

    def __post_init__(self) -> None:
        if not self.model_id.strip():
            raise SettingsError("the model id is empty", remedy="name a directory or a hub id")
        if self.load_in_8bit and self.load_in_4bit:
            raise SettingsError(
                "load_in_8bit and load_in_4bit are both set",
                remedy="a model is loaded in one of them",
            )
        if self.padding_side not in ("left", "right"):
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
        return "int8" if self.load_in_8bit else "nf4" if self.load_in_4bit else "none"

    @property
    def overrides(self) -> tuple[str, ...]:
        """The protections that the caller switched off, by argument name."""
        names = ("allow_adapter", "allow_chat_model", "allow_pickle", "trust_remote_code")
        return tuple(name for name in names if getattr(self, name))
