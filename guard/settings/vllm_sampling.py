"""The settings of a call as vLLM has them: what it would change or leave out is refused, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guard.errors import SettingsError
from guard.settings.jobs import Job
from guard.settings.settled import Settings

# What would be needed is a logits processor or text of ours inside vLLM.
_UNKNOWN_THERE = ("no_repeat_ngram_size", "length_penalty", "early_stopping", "return_full_text")
# vLLM takes 0.01 for what is below it, and nothing above 2.
COLDEST, HOTTEST = 0.01, 2.0


def refuse_settings(settings: Settings) -> None:
    """Raise SettingsError for a setting that vLLM does not have, or takes another value for."""
    asked = [name for name in _UNKNOWN_THERE if getattr(settings, name)]
    asked += ["stop_strings"] if settings.stop_strings else []
    asked += ["num_beams"] if settings.num_beams > 1 else []
    if asked:
        raise SettingsError(
            f"{', '.join(asked)}: not available with vLLM, which is given ids alone",
            remedy="leave it out, or generate with transformers",
        )
    if settings.sampling and not COLDEST <= settings.temperature <= HOTTEST:
        raise SettingsError(
            f"temperature={settings.temperature} with vLLM, which takes {COLDEST} to {HOTTEST:g} "
            "and uses another one without an error for less",
            remedy="say 0 for greedy, a temperature between the two, or generate with transformers",
        )


def sampling_of(job: Job, settings: Settings, eos: tuple[int, ...]) -> dict[str, Any]:
    """The keywords of `vllm.SamplingParams` for one text; greedy unless sampling was asked for."""
    drawn: dict[str, Any] = {
        "temperature": settings.temperature,
        "top_p": 1.0 if settings.top_p is None else settings.top_p,
        "top_k": settings.top_k or 0,
        "min_p": settings.min_p or 0.0,
    }
    greedy = {"temperature": 0.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0}
    return {
        "n": 1,
        "max_tokens": job.budget,
        "min_tokens": settings.min_new_tokens or 0,
        **(drawn if settings.sampling else greedy),
        "repetition_penalty": settings.repetition_penalty or 1.0,
        "seed": job.seed,
        "stop_token_ids": list(eos),
        "detokenize": False,
    }


def params_of(kind: Any, wanted: Mapping[str, Any]) -> Any:
    """A `vllm.SamplingParams` that holds what was wanted, and nothing else.

    Raises:
        SettingsError: vLLM refuses a value, or takes another one in its place.
    """
    try:
        params = kind(**wanted)
    except ValueError as error:
        raise SettingsError(
            f"vLLM does not take these settings: {' '.join(str(error).split())}",
            remedy="change the one that it names, or generate with transformers",
        ) from error
    for name, value in wanted.items():
        taken = getattr(params, name, value)
        if taken != value:
            raise SettingsError(
                f"vLLM takes {name}={taken!r} for {name}={value!r}",
                remedy="say a value that it takes as it is, or generate with transformers",
            )
    return params
