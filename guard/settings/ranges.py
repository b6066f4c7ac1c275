"""What each keyword of `generate` may be: types and ranges, checked before anything runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

from guard.errors import SettingsError

Rule = tuple[Callable[[Any], bool], str]


# What torch can hold; a seed may have all of the 64 bits, as torch's own.
_LEAST, _MOST, _MOST_SEED = -(2**63), 2**63 - 1, 2**64 - 1


def _whole(value: Any, most: int = _MOST) -> bool:
    whole = not isinstance(value, bool) and isinstance(value, Integral)
    return whole and _LEAST <= value <= most


def _number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
    except OverflowError:  # a whole number or a fraction beyond every float
        return False


def _from(least: int) -> Rule:
    return lambda value: _whole(value) and value >= least, f"a whole number from {least}"


def _listed(value: Any, member: Callable[[Any], bool]) -> bool:
    return isinstance(value, (list, tuple)) and all(map(member, value))


def _text(value: Any) -> bool:
    if not isinstance(value, str) or not value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


_SWITCH: Rule = (lambda value: isinstance(value, bool), "True or False")
_RULES: Mapping[str, Rule] = {
    "special_tokens": (lambda value: value in ("refuse", "text"), '"refuse" or "text"'),
    "max_new_tokens": _from(1),
    "max_length": _from(1),
    "min_new_tokens": _from(0),
    "num_beams": _from(1),
    "num_return_sequences": _from(1),
    "no_repeat_ngram_size": _from(0),
    "top_k": (lambda v: _whole(v) and v >= 0, "a whole number; 0 leaves it off"),
    "pad_token_id": _from(0),
    "eos_token_id": (
        lambda v: (_whole(v) and v >= 0) or (_listed(v, lambda i: _whole(i) and i >= 0) and v),
        "an id or a list of ids",
    ),
    "seed": (lambda v: _whole(v, _MOST_SEED), "a whole number of at most 64 bits"),
    "temperature": (lambda v: _number(v) and v >= 0, "a number: 0 is greedy, above 0 samples"),
    "top_p": (lambda v: _number(v) and 0 < v <= 1, "a number above 0, at most 1"),
    "min_p": (lambda v: _number(v) and 0 <= v <= 1, "a number from 0 to 1"),
    "repetition_penalty": (lambda v: _number(v) and v > 0, "a number above 0; 1 leaves it off"),
    "length_penalty": (_number, "a number"),
    "early_stopping": (lambda v: isinstance(v, bool) or v == "never", 'True, False or "never"'),
    "stop_strings": (
        lambda v: _text(v) or _listed(v, _text),
        "a text or a list of texts, none empty or with half of a surrogate pair",
    ),
    "do_sample": _SWITCH,
    "use_cache": _SWITCH,
    "skip_special_tokens": _SWITCH,
    "clean_up_tokenization_spaces": _SWITCH,
    "return_full_text": _SWITCH,
}
_LENGTHS = ("max_new_tokens", "max_length", "min_new_tokens")
RULED: frozenset[str] = frozenset(_RULES)


def in_range(said: Mapping[str, Any]) -> dict[str, Any]:
    """The values of keywords, none of them None, with numpy's and torch's numbers as Python's.

    Args:
        said: The values by keyword; a length may be a fraction without a remainder, such as `10 / 2`.

    Raises:
        SettingsError: A keyword does not take its value.
    """
    said = {name: _held(name, value) for name, value in said.items()}
    for name, value in said.items():
        fits, what = _RULES[name]
        if not fits(value):
            raise SettingsError(f"{name}={_shown(value)}", remedy=f"{name} is {what}")
    return {name: _plain(value) for name, value in said.items()}


def _held(name: str, value: Any) -> Any:
    """The number in a tensor or an array without dimensions, and a length as a whole number."""
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()
    whole = name in _LENGTHS and isinstance(value, float) and value.is_integer()
    return int(value) if whole else value


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except ValueError:  # Python writes no number of thousands of digits
        return "a number of thousands of digits"


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(member) for member in value]
    if isinstance(value, (bool, str)):
        return value
    return int(value) if isinstance(value, Integral) else float(value)
