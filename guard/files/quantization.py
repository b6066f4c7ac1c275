"""The options of bitsandbytes as a caller may say them: which exist, and what each may be."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from numbers import Real
from typing import Any

from guard.errors import SettingsError

TYPES = ("nf4", "fp4")
_COMPUTE = ("bfloat16", "float16", "float32")
_STORAGE = ("uint8", "int8", "bfloat16", "float16", "float32", "float64")
# transformers reads the first two for both; the names are history.
BOTH = ("llm_int8_skip_modules", "llm_int8_enable_fp32_cpu_offload")
EIGHT_BIT = ("llm_int8_threshold", "llm_int8_has_fp16_weight")
FOUR_BIT = (
    *("bnb_4bit_quant_type", "bnb_4bit_use_double_quant"),
    *("bnb_4bit_compute_dtype", "bnb_4bit_quant_storage"),
)
OPTIONS: tuple[str, ...] = (*BOTH, *EIGHT_BIT, *FOUR_BIT)


def refuse_options(said: Mapping[str, Any]) -> None:
    """Check the value of each option of bitsandbytes; None is one that was not said.

    Raises:
        SettingsError: An option does not take its value.
    """
    for name, value in said.items():
        sound, what = _RULES[name]
        if value is not None and not sound(value):
            raise SettingsError(
                f"{name}={value!r}", remedy=f"{name} is {what}{_close(name, value)}"
            )


def without_effect(said: Mapping[str, Any], bits: int | None) -> tuple[str, ...]:
    """The options that were said and do nothing at so many bits; None stands for unquantized."""
    effective = BOTH + (EIGHT_BIT if bits == 8 else FOUR_BIT) if bits else ()
    return tuple(name for name in OPTIONS if said[name] is not None and name not in effective)


def _switch(value: Any) -> bool:
    return isinstance(value, bool)


def _number(value: Any) -> bool:
    number = isinstance(value, Real) and not isinstance(value, bool)
    return number and math.isfinite(value) and value >= 0


def _patterns(value: Any) -> bool:
    return isinstance(value, (list, tuple, set, frozenset)) and all(map(_pattern, value))


def _pattern(value: Any) -> bool:
    if not isinstance(value, str) or not value.strip():
        return False
    try:
        re.compile(value)
    except re.error:
        return False
    return True


def _one_of(names: tuple[str, ...]) -> Callable[[Any], bool]:
    # torch is not imported here: its dtypes write themselves as torch.NAME.
    return lambda value: (
        value in names
        if isinstance(value, str)
        else type(value).__name__ == "dtype" and str(value).removeprefix("torch.") in names
    )


def _close(name: str, value: Any) -> str:
    known = {"bnb_4bit_quant_type": TYPES, "bnb_4bit_compute_dtype": _COMPUTE}.get(name, ())
    found = get_close_matches(str(value).lower(), known, n=1) if isinstance(value, str) else ()
    return f"; did you mean {found[0]!r}?" if found else ""


_Rule = tuple[Callable[[Any], bool], str]
_SWITCH: _Rule = (_switch, "True or False")
_RULES: Mapping[str, _Rule] = {
    "llm_int8_threshold": (_number, "a number from 0; 6.0 is the default, and 0 sets none apart"),
    "llm_int8_skip_modules": (
        _patterns,
        'a list of modules, such as ["model.layers.0"]: names from the root, regular expressions, '
        "or the end of a name",
    ),
    "llm_int8_has_fp16_weight": _SWITCH,
    "llm_int8_enable_fp32_cpu_offload": _SWITCH,
    "bnb_4bit_quant_type": (lambda value: value in TYPES, " or ".join(map(repr, TYPES))),
    "bnb_4bit_use_double_quant": _SWITCH,
    "bnb_4bit_compute_dtype": (_one_of(_COMPUTE), f"one of {', '.join(_COMPUTE)}"),
    "bnb_4bit_quant_storage": (_one_of(_STORAGE), f"one of {', '.join(_STORAGE)}"),
}
