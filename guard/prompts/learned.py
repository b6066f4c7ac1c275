"""What adapters that do not work token by token ask of a call of `generate`: learned prompts, activated LoRAs."""

from __future__ import annotations

from typing import Any

from guard.errors import SettingsError
from guard.prompts.state import active_adapters, adapter_kind

_IN_THE_CACHE = frozenset({"PREFIX_TUNING", "CARTRIDGE"})


def may_pad(model: Any, *, use_cache: bool, beams: int, invariant: bool) -> bool:
    """Whether rows of different lengths can stand in one batch.

    PEFT puts a learned prompt before the padding of a row and leaves positions to the model, which counts the
    padding: the prompt would stand further from a short text than from a long one.

    Args:
        model: A guarded model, or an adapter's wrapper around one.
        use_cache, beams, invariant: Of the call.

    Raises:
        SettingsError: The call asks for what such an adapter cannot have.
    """
    config: Any = getattr(model, "active_peft_config", None)
    if config is None or not active_adapters(model):
        return True
    if getattr(config, "alora_invocation_tokens", None):
        _refuse_for_activated(use_cache, beams)
    if not config.is_prompt_learning:
        return True
    kind = adapter_kind(config)
    if kind in _IN_THE_CACHE:
        if not use_cache:
            raise SettingsError(
                f"use_cache=False, and the adapter ({kind}) is what the cache begins with",
                remedy="leave use_cache out",
            )
        return True
    if invariant:
        raise SettingsError(
            f"batch_invariant pads every row, and the adapter ({kind}) is a prompt that padding would move away",
            remedy="leave batch_invariant out: with such an adapter only rows of one length share a batch",
        )
    return False


def _refuse_for_activated(use_cache: bool, beams: int) -> None:
    if not use_cache:
        raise SettingsError(
            "use_cache=False, and PEFT counts the tokens that activate the adapter from the end of the prompt alone: "
            "with each new token it would work on one less",
            remedy="leave use_cache out",
        )
    if beams > 1:
        raise SettingsError(
            f"num_beams={beams}, and PEFT has no beams for an activated LoRA",
            remedy="leave num_beams out",
        )
