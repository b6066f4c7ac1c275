"""Refuses keywords that a call does not have, and says which one was meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from guard.errors import LoaderCallError

# Old or transformers-level spellings and what takes their place here; None: the keyword falls away.
_MEANT: Mapping[str, str | None] = {
    "torch_dtype": "dtype",
    "use_auth_token": "token",
    "device": "device_map",
    "max_tokens": "max_new_tokens",
    "stop": "stop_strings",
    "stop_sequences": "stop_strings",
    "random_seed": "seed",
    "low_cpu_mem_usage": None,
    "use_fast": None,
    "use_safetensors": None,
    "attention_mask": None,
    "input_ids": None,
    "truncation": None,
    "padding": None,
    "add_special_tokens": None,
    "return_tensors": None,
}


def refuse_unknown(call: str, given: Mapping[str, object], known: Iterable[str]) -> None:
    """Raise LoaderCallError for the first keyword of `given` that is not in `known`.

    Args:
        call: The call's name as the user writes it.
        given: The keywords that were passed.
        known: The keywords that exist.
    """
    names = sorted(known)
    for keyword in given:
        if keyword in names:
            continue
        if keyword == "quantization_config":
            hint = "say `load_in_8bit=True` or `load_in_4bit=True`"
        elif keyword in _MEANT and (_MEANT[keyword] is None or _MEANT[keyword] in names):
            meant = _MEANT[keyword]
            hint = f"write `{meant}=`" if meant else "leave it out: the guard decides it"
        else:
            close = get_close_matches(keyword, names, n=1, cutoff=0.6)
            hint = f"did you mean `{close[0]}`?" if close else f"it takes {', '.join(names)}"
        raise LoaderCallError(
            f"{call} has no keyword {keyword!r}", evidence={"keyword": keyword}, remedy=hint
        )
