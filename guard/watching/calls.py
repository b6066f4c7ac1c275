"""Calls a model's `generate` as it is, and tells what it is given and what it takes from the model's files."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from cleanguard.catalogue import hazards
from guard.enforcing.passing import Keyed, vetted
from guard.prompts.state import find_state
from guard.settings.inherited import UNSET, effective
from guard.watching.beside import already_told, is_module
from guard.watching.hooks import Prompts, holds_watched, judge_of
from guard.watching.told import WatchState, telling, warn

_FOR_SAMPLES = frozenset(
    ("temperature", "top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff", "top_h")
)
# Where a text may end is the model's to say; how it is drawn is the caller's.
_OF_THE_MODEL = frozenset(("eos_token_id", "max_length", "use_cache", "cache_implementation"))


def generate_watched(model: Any, args: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
    """What `model.generate` returns for these arguments; see `CleanModelLoader.generate_watched`."""
    judge = judge_of(model)
    if judge is None:
        known = is_module(model) and find_state(model) is not None
        if not known and not holds_watched(model):
            tell_stranger(model)
        return model.generate(*args, **keywords)
    _look(judge, model, args, keywords)
    # What it generates goes into it again, and is no prompt.
    with vetted(judge.state, *_helpers(keywords.get("assistant_model"))):
        return model.generate(*args, **keywords)


def _helpers(assistant: Any) -> tuple[Keyed, ...]:
    """What is known of the model that drafts: what the other one generates comes into it."""
    judge = judge_of(assistant)
    state = find_state(assistant) if is_module(assistant) else None
    return tuple(one for one in (None if judge is None else judge.state, state) if one is not None)


def _look(judge: Prompts, model: Any, args: tuple[Any, ...], keywords: Mapping[str, Any]) -> None:
    ids = keywords.get("input_ids", keywords.get("inputs", args[0] if args else None))
    judge.given(ids, keywords.get("attention_mask"), keywords)
    with telling(judge.state):
        given = keywords.get("generation_config", args[1] if len(args) > 1 else None)
        found = inherited(judge.state, model, given, keywords)
        if found:
            said = ", ".join(f"{name}={value!r}" for name, value in sorted(found.items()))
            judge.state.tell(
                hazards.INHERITED_SAMPLING.code,
                f"the call does not say {said}: its generation_config.json does",
            )


def inherited(
    state: WatchState, model: Any, given: Any, keywords: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings that a call of `generate` takes from the model's own files: name and value.

    Args:
        state: What is known of the model.
        model: The model.
        given: The `generation_config` of the call; None for none.
        keywords: Of the call.
    """
    own = getattr(model, "generation_config", None)
    if own is None or given is own:
        return {}
    said = {} if given is None else given.to_diff_dict()
    found = unsaid(own, {*keywords, *said})
    samples = keywords.get("do_sample", said.get("do_sample", own.do_sample))
    return {
        name: value
        for name, value in found.items()
        if state.brought.get(name) == value and (samples or name not in _FOR_SAMPLES)
    }


def unsaid(config: Any, said: Container[str]) -> dict[str, Any]:
    """What a generation config brings into a call that says some settings itself: name and value."""
    return {
        name: value
        for name, value in effective(config).items()
        if value != UNSET.get(name) and name not in said and name not in _OF_THE_MODEL
    }


def tell_stranger(model: Any) -> None:
    """A model that was loaded elsewhere is not watched, and is told once."""
    config = vars(model).get("config") if is_module(model) else None
    if getattr(config, "is_encoder_decoder", False):
        return  # it has no rules for its prompts, and is watched nowhere
    if not already_told(model):
        name = vars(model).get("name_or_path") if is_module(model) else None
        warn(
            hazards.RAW_GENERATE.code,
            f"{name or type(model).__name__}: it was not loaded through CleanModelLoader, and what goes into it is "
            "not watched",
        )
