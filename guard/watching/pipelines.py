"""Builds a pipeline exactly as transformers does, and watches the model that it generates with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from cleanguard.catalogue import hazards
from guard.files.hub import transformers
from guard.prompts.state import find_state
from guard.watching.beside import is_module
from guard.watching.calls import inherited, tell_stranger, unsaid
from guard.watching.hooks import judge_of
from guard.watching.loads import watch
from guard.watching.told import WatchState, telling


def pipeline_watched(args: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
    """What `transformers.pipeline` returns for these arguments; see `CleanModelLoader.pipeline_watched`."""
    built = transformers.pipeline(*args, **keywords)
    model: Any = getattr(built, "model", None)
    if not is_module(model) or find_state(model) is not None:
        return built
    given = args[1] if len(args) > 1 else keywords.get("model")
    if judge_of(model) is None:
        if given is None or isinstance(given, (str, os.PathLike)):
            where = {**(keywords.get("model_kwargs") or {}), **keywords}
            watch(model, model.name_or_path if given is None else given, where)
        else:
            tell_stranger(model)
    judge = judge_of(model)
    if judge is not None:
        _tell_settings(judge.state, built, keywords)
    return built


def _tell_settings(state: WatchState, built: Any, keywords: Mapping[str, Any]) -> None:
    """A pipeline has settings of its own for what a call does not say, besides those of the model's files."""
    with telling(state):
        given = keywords.get("generation_config")
        said = {*keywords, *(() if given is None else given.to_diff_dict()), "max_new_tokens"}
        own = getattr(built, "_default_generation_config", None)
        # What it has for samples is not used where none are drawn.
        samples = own is not None and keywords.get("do_sample") is not False
        found = {
            **(unsaid(own, said) if samples else {}),
            **inherited(state, built.model, given, {"do_sample": samples, **keywords}),
        }
        if found:
            values = ", ".join(f"{name}={value!r}" for name, value in sorted(found.items()))
            state.tell(
                hazards.INHERITED_SAMPLING.code,
                f"the pipeline takes {values} for every call that does not say otherwise",
            )
