"""Generate calls: by hand on a base model, inherited settings, sampling without a seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from cleanguard.catalogue import hazards
from guard.observing.events import Generate
from guard.tracing.facts import Fact, places
from guard.tracing.subjects import Subjects

# What each setting is when it does nothing.
_NEUTRAL: Mapping[str, tuple[Any, ...]] = MappingProxyType(
    {
        "do_sample": (False,),
        "temperature": (1.0,),
        "top_p": (1.0,),
        "top_k": (50, 0),
        "min_p": (0.0,),
        "typical_p": (1.0,),
        "epsilon_cutoff": (0.0,),
        "eta_cutoff": (0.0,),
        "repetition_penalty": (1.0,),
        "no_repeat_ngram_size": (0,),
        "num_beams": (1,),
        "length_penalty": (1.0,),
        "bad_words_ids": (),
        "suppress_tokens": (),
        "begin_suppress_tokens": (),
        "forced_eos_token_id": (),
        "forced_bos_token_id": (),
        "min_new_tokens": (0,),
    }
)
_ONLY_SAMPLING = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "typical_p",
    "epsilon_cutoff",
    "eta_cutoff",
)


def of_generate(generate: Generate, subjects: Subjects, tokenizer: int | None) -> Iterator[Fact]:
    """What is wrong with a generate call that the guard did not make."""
    severity = subjects.scope.severity(subjects.standing(generate.model, tokenizer))
    if severity is None:
        return
    name = subjects.called(generate.model)
    common = {"settings": dict(generate.settings), "origins": dict(generate.origins)}
    if generate.engine == "transformers":
        yield Fact(
            hazards.RAW_GENERATE,
            severity,
            generate.site,
            f"`generate` by hand on {name}: {_inherits(generate)}, nothing recorded",
            places(generate),
            MappingProxyType(common),
        )
    inherited, ignored = _inherited(generate, subjects), _ignored(generate, subjects)
    if inherited:
        said = ", ".join(f"{key}={value!r}" for key, value in inherited.items())
        yield Fact(
            hazards.INHERITED_SAMPLING,
            "warning",
            generate.site,
            f"{said} came from the generation_config of {name}, not from this call",
            places(generate),
            MappingProxyType({**common, "inherited": inherited}),
        )
    elif ignored:
        said = ", ".join(f"`{key}={value!r}`" for key, value in ignored.items())
        yield Fact(
            hazards.INHERITED_SAMPLING,
            "warning",
            generate.site,
            f"{said} beside do_sample=False changed nothing: greedy decoding ignores it",
            places(generate),
            MappingProxyType({**common, "ignored": ignored}),
        )
    if samples(generate) and not generate.seed.seeded:
        yield Fact(
            hazards.UNSEEDED_SAMPLING,
            "warning",
            generate.site,
            f"{name} sampled and nothing had seeded torch: the same run gives other texts",
            places(generate),
            MappingProxyType(common),
        )


def samples(generate: Generate) -> bool:
    """Whether tokens were drawn."""
    if generate.engine == "vllm":
        return float(generate.settings.get("temperature", 1.0)) > 0
    return bool(generate.settings.get("do_sample"))


def _inherits(generate: Generate) -> str:
    count = len([name for name, origin in generate.origins.items() if origin == "model"])
    return f"{count or 'no'} setting{'' if count == 1 else 's'} inherited"


def _inherited(generate: Generate, subjects: Subjects) -> dict[str, Any]:
    """Settings that change the output, that the repository chose and nobody here."""
    if generate.engine == "vllm":
        return {
            key: value
            for key, value in generate.settings.items()
            if generate.origins.get(key) == "model" and value not in _NEUTRAL.get(key, (value,))
        }
    load = subjects.loads.get(generate.model)
    shipped = load.loaded.get("generation_config") if load else None
    found: dict[str, Any] = {}
    for key in [name for name, origin in generate.origins.items() if origin == "model"]:
        value = generate.settings[key]
        if key not in _NEUTRAL or value in _NEUTRAL[key]:
            continue
        # What the script itself put into model.generation_config is its own.
        if shipped is not None and shipped.get(key) != value:
            continue
        if key in _ONLY_SAMPLING and not generate.settings.get("do_sample"):
            continue
        found[key] = value
    return found


def _ignored(generate: Generate, subjects: Subjects) -> dict[str, Any]:
    """Settings of sampling that somebody here chose for a greedy call."""
    if generate.engine == "vllm" or generate.settings.get("do_sample"):
        return {}
    load = subjects.loads.get(generate.model)
    shipped = (load.loaded.get("generation_config") if load else None) or {}
    found: dict[str, Any] = {}
    for key in [name for name in _ONLY_SAMPLING if name in generate.settings]:
        value, origin = generate.settings[key], generate.origins[key]
        # A config that began as the model's own brings what the repository chose.
        chosen = origin == "call" or (origin == "config" and shipped.get(key) != value)
        # A temperature of 0 is how many say greedy; it contradicts nothing.
        says_greedy = key == "temperature" and value == 0
        if chosen and value is not None and value not in _NEUTRAL[key] and not says_greedy:
            found[key] = value
    return found
