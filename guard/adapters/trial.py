"""Tries an adapter before it is used: what it generates with must be what it scores with.

PEFT puts a learned prompt into a decoding loop by looking for `past_key_values` among the model's inputs. Since
transformers 5.24 they are called `cache` there, and PEFT 0.21 gives the base's text for a prefix, and
puts other prompts before every new token. Other kinds look at the whole batch at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from guard.base.caches import NAMES, cache_of
from guard.decoding.support import by_position
from guard.enforcing.passing import vetted
from guard.errors import AdapterMismatch
from guard.files.hub import torch
from guard.prompts.state import GuardState
from guard.scoring.shared import agrees

_NEW, _OLD = NAMES[:2]
_TOKENS = 2


class _Renamed:
    """`prepare_inputs_for_generation` whose result calls the cache by another name."""

    def __init__(self, plain: Callable[..., Any], name: str, other: str) -> None:
        self.__wrapped__ = plain  # transformers reads the signature
        self._names = name, other

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The inputs of a step."""
        inputs = self.__wrapped__(*args, **kwargs)
        name, other = self._names
        if name in inputs:
            inputs[other] = inputs.pop(name)
        return inputs


def settle_prompt(model: Any, directory: Path, *states: GuardState) -> None:
    """See to it that a learned prompt stands once before a text that is generated; other adapters pass.

    Args:
        model: A PeftModel in evaluation mode.
        directory: The adapter's, for the message.
        states: Of this model, and of the one that it is a copy of.

    Raises:
        AdapterMismatch: PEFT's decoding loses the prompt, or repeats it, by whatever name.
    """
    if not model.active_peft_config.is_prompt_learning:
        return
    if _stands_once(model, states):
        return
    inner, outer = (
        model.base_model_prepare_inputs_for_generation,
        model.prepare_inputs_for_generation,
    )
    model.base_model_prepare_inputs_for_generation = _Renamed(inner, _NEW, _OLD)
    model.prepare_inputs_for_generation = _Renamed(outer, _OLD, _NEW)
    if _stands_once(model, states):
        return
    model.base_model_prepare_inputs_for_generation = inner
    del model.prepare_inputs_for_generation
    raise AdapterMismatch(
        f"{directory} holds a learned prompt, and the installed PEFT loses it, or repeats it, while it decodes",
        evidence={"kind": type(model.active_peft_config).__name__},
        remedy="install the releases of peft and transformers that it was trained with",
    )


def refuse_odd(model: Any, directory: Path, *states: GuardState) -> None:
    """Try an adapter that does not work token by token, as LoRA does.

    Args:
        model, directory, states: As for `settle_prompt`, which comes first.

    Raises:
        AdapterMismatch: What it gives for a text depends on what follows, or on the rest of the batch; or
            it decodes with other numbers than it scores with.
    """
    config = model.active_peft_config
    if by_position(config):
        return
    kind = type(config).__name__
    begin = list(getattr(config, "alora_invocation_tokens", None) or (0,))
    one, other = ([*begin, last] for last in (0, 1))
    with vetted(*states), torch.no_grad():
        alone, elsewhere = (_logits(model, [row])[:, -2] for row in (one, other))
        together = _logits(model, [one, [1] * len(one)])[:1, -2]
    if not (agrees(elsewhere, alone) and agrees(together, alone)):
        raise AdapterMismatch(
            f"{directory}: with this {kind} what the model gives for a token depends on what comes after it, or on "
            "the other rows of a batch: neither its scores nor its texts would be those of a prompt",
            evidence={"kind": kind},
            remedy="evaluate it with its own code; numbers of it are not comparable with others",
        )
    found = _generated(model, one, states)
    with vetted(*states), torch.no_grad():
        scored = _logits(model, [found.sequences[0, :-1].tolist()])[0, -_TOKENS:]
    if not agrees(torch.cat(found.logits), scored):
        raise AdapterMismatch(
            f"{directory}: with this {kind} the installed PEFT decodes with other numbers than it scores with",
            evidence={"kind": kind},
            remedy="install the releases of peft and transformers that it was trained with",
        )


def _stands_once(model: Any, states: Sequence[GuardState]) -> bool:
    """Whether the cache behind two generated tokens holds the prompt once; True where there is no cache."""
    cache = cache_of(_generated(model, [0] * _TOKENS, states))
    if not hasattr(cache, "get_seq_length"):
        return True
    # The last token is read by nobody.
    return bool(
        cache.get_seq_length() == model.active_peft_config.num_virtual_tokens + 2 * _TOKENS - 1
    )


def _generated(model: Any, row: list[int], states: Sequence[GuardState]) -> Any:
    ids = torch.tensor([row], device=model.device)
    with vetted(*states), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two names, which is what is looked for
        return model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=_TOKENS,
            min_new_tokens=_TOKENS,
            do_sample=False,
            num_beams=1,
            use_cache=True,
            return_dict_in_generate=True,
            output_logits=True,
        )


def _logits(model: Any, rows: list[list[int]]) -> Any:
    """Of shape (rows, positions, vocabulary)."""
    ids = torch.tensor(rows, device=model.device)
    return model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
