"""The methods of a model that make text: each checks its prompts, then lets the model's own tokens pass."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from guard.base import caches
from guard.enforcing.passing import (
    close_window,
    generating,
    is_lifted,
    is_vetted,
    open_window,
    vetted,
)
from guard.enforcing.prefill import check_bos, check_padding
from guard.enforcing.raw_ids import RawIds
from guard.files.hub import torch
from guard.prompts.state import find_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from transformers import PreTrainedModel

_CONTINUOUS = "transformers.generation.continuous_batching"


def install(model: PreTrainedModel, raw: RawIds) -> None:
    """Put the checks in the place of a model's methods; one that does not generate keeps its hooks alone."""
    if not hasattr(model, "prepare_inputs_for_generation") or not hasattr(model, "generate"):
        return
    # Partials, not methods: they can be pickled and copied with the model.
    model.generate = partial(_generate, model, raw)
    prepare = partial(_prepare, model, raw)
    # transformers reads the names of the parameters, to tell what a model takes.
    prepare.__signature__ = _names_only(model.prepare_inputs_for_generation)  # type: ignore[attr-defined]
    model.prepare_inputs_for_generation = prepare
    model._update_model_kwargs_for_generation = partial(_update, model, raw)
    model._get_logits_processor = partial(_processors, model, raw)
    if hasattr(model, "init_continuous_batching"):
        model.generate_batch = partial(_generate_batch, model, raw)
        model.init_continuous_batching = partial(_init_continuous, model, raw)


def generates_as_loaded(model: Any) -> bool:
    """Whether nobody put another `generate`, or a step of it, on a model or on an adapter's wrapper around one."""
    ours = (("generate", _generate), ("prepare_inputs_for_generation", _prepare), ("_sample", None))
    return all(
        (found := vars(model).get(name)) is None
        or (isinstance(found, partial) and found.func is plain)
        for name, plain in ours
    )


def _names_only(call: Callable[..., Any]) -> inspect.Signature:
    """A call's parameters without annotations and defaults, so that it can be pickled."""
    found = inspect.signature(call).parameters.values()
    return inspect.Signature([inspect.Parameter(each.name, each.kind) for each in found])


def is_filled(kwargs: Mapping[str, Any]) -> bool:
    """Whether a forward pass goes on from a cache with something in it."""
    return any(_length(kwargs.get(name)) != 0 for name in caches.NAMES)


def is_paged(kwargs: Mapping[str, Any]) -> bool:
    """Whether a forward pass is one of continuous batching, whose requests were checked one by one."""
    return type(kwargs.get("cache")).__module__.startswith(_CONTINUOUS)


def _length(cache: Any) -> int:
    """Positions in a cache; 0 for none, -1 where it does not tell."""
    if cache is None:
        return 0
    if isinstance(cache, tuple | list):  # how caches were before they were objects
        return -1 if len(cache) else 0
    length = getattr(cache, "get_seq_length", None)
    try:
        return -1 if length is None else int(length())
    except (ValueError, IndexError, AttributeError, TypeError):
        return -1


def _generate(model: PreTrainedModel, raw: RawIds, *args: Any, **kwargs: Any) -> Any:
    plain, state = type(model).generate, raw.state
    ids = kwargs.get("input_ids", kwargs.get("inputs", args[0] if args else None))
    if is_lifted(state) or is_vetted(state):
        return plain(model, *args, **kwargs)
    if ids is not None:
        filled = max(_length(kwargs.get(name)) for name in caches.NAMES)
        whole = not is_filled(kwargs) or 0 < filled < ids.shape[-1]
        check_prompt(raw, ids, kwargs.get("attention_mask"), whole=whole)
    negative = kwargs.get("negative_prompt_ids")
    if negative is not None:
        check_prompt(raw, negative, kwargs.get("negative_prompt_attention_mask"))
    # Speculative decoding: the other model gets this one's prompt and tokens.
    helper = find_state(kwargs.get("assistant_model"))
    helpers = () if helper is None else (helper,)
    if ids is None and kwargs.get("inputs_embeds") is not None:
        raw.check_embeddings(kwargs["inputs_embeds"], model.get_input_embeddings())
    with vetted(*helpers), generating(state):
        return plain(model, *args, **kwargs)


def check_prompt(
    raw: RawIds,
    ids: torch.Tensor,
    mask: torch.Tensor | None,
    *,
    whole: bool = True,
    may_lack: bool = False,
) -> None:
    """Check prompts that `generate` is given: content, BOS and padding.

    Args:
        raw: Of the model.
        ids: Of shape (rows, positions).
        mask: Of the same shape.
        whole: They begin at the beginning, so that BOS and padding can be judged.
        may_lack: They may begin without BOS.
    """
    raw.check(ids)
    if whole and ids.dim() == 2:
        policy = raw.state.policy
        if policy.bos_id is not None:
            check_bos(policy, ids, mask, may_lack=may_lack)
        check_padding(policy, ids, mask, generates=True)


def _prepare(model: PreTrainedModel, raw: RawIds, *args: Any, **kwargs: Any) -> Any:
    found = type(model).prepare_inputs_for_generation(model, *args, **kwargs)
    open_window(raw.state)
    return found


def _update(model: PreTrainedModel, raw: RawIds, *args: Any, **kwargs: Any) -> Any:
    close_window(raw.state)
    return type(model)._update_model_kwargs_for_generation(model, *args, **kwargs)


def _processors(model: PreTrainedModel, raw: RawIds, *args: Any, **kwargs: Any) -> Any:
    """The logits processors of a call; classifier-free guidance calls the model from inside one."""
    found = type(model)._get_logits_processor(model, *args, **kwargs)
    for processor in found:
        context = getattr(processor, "unconditional_context", None)
        if isinstance(context, dict):
            ids = context.get("input_ids")
            if ids is not None and not is_lifted(raw.state):
                check_prompt(raw, ids, context.get("attention_mask"))
            plain = type(processor).get_unconditional_logits
            processor.get_unconditional_logits = partial(_guided, raw, plain, processor)
    return found


def _guided(raw: RawIds, plain: Any, processor: Any, input_ids: torch.Tensor) -> Any:
    """The pass without the prompt: on ids that were checked, or on the model's last token."""
    with vetted(raw.state):
        return plain(processor, input_ids)


def _generate_batch(
    model: PreTrainedModel, raw: RawIds, inputs: Sequence[Sequence[int]], *args: Any, **kwargs: Any
) -> Any:
    # transformers logs what add_request raises and goes on, so they are checked here as well.
    for row in inputs:
        _check_request(raw, row)
    return type(model).generate_batch(model, inputs, *args, **kwargs)


def _init_continuous(model: PreTrainedModel, raw: RawIds, *args: Any, **kwargs: Any) -> Any:
    manager = type(model).init_continuous_batching(model, *args, **kwargs)
    manager.add_request = partial(_add_request, raw, manager)
    return manager


def _add_request(
    raw: RawIds, manager: Any, input_ids: Sequence[int], *args: Any, **kwargs: Any
) -> Any:
    _check_request(raw, input_ids)
    return type(manager).add_request(manager, input_ids, *args, **kwargs)


def _check_request(raw: RawIds, row: Sequence[int]) -> None:
    if not is_lifted(raw.state):
        check_prompt(raw, torch.as_tensor(row).reshape(1, -1), None)
