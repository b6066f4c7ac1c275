"""Turns what a file or a command line says into the value that an option takes."""

from __future__ import annotations

import math
from datetime import date, time
from pathlib import Path
from typing import Any

from cleanguard.catalogue.selection import did_you_mean
from stages.config.fields import Option

_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}  # fmt: skip
_MOST = 2**63 - 1  # what TOML, torch and numpy count up to
_SHOWN = 60


class ValueProblem(ValueError):  # noqa: N818 - the reader adds where it stands
    """A value that the option cannot have; the message says what it can have."""


def value_for(one: Option, raw: Any) -> Any:
    """The value of an option.

    Args:
        one: The option.
        raw: A value as TOML or YAML gives it, or text from the command line.

    Raises:
        ValueProblem: It is of another kind, none of the choices, or out of bounds.
    """
    if one.optional and (raw is None or raw == "none"):
        return None
    if not one.many:
        return _single(one, raw)
    if isinstance(raw, str):
        raw = [part.strip() for part in raw.split(",") if part.strip()]
    if not isinstance(raw, list | tuple):
        raise ValueProblem(f"{raw!r} is not a list")
    return tuple(_single(one, part) for part in raw)


def _single(one: Option, raw: Any) -> Any:
    value = _converted(one, raw)
    if one.choices and value not in one.choices:
        known = ", ".join(one.choices)
        raise ValueProblem(
            f"{value!r} is not one of {known}{did_you_mean(str(value), one.choices)}"
        )
    if isinstance(value, int | float) and not isinstance(value, bool):
        if one.at_least is not None and value < one.at_least:
            raise ValueProblem(f"{value} is less than {one.at_least:.15g}")
        if one.at_most is not None and value > one.at_most:
            raise ValueProblem(f"{value} is more than {one.at_most:.15g}")
    return value


def _converted(one: Option, raw: Any) -> Any:
    problem = ValueProblem(f"{_shown(raw)} is not {_NAMES[one.kind]}")
    if one.kind is bool:
        found = _BOOLEANS.get(raw.casefold()) if isinstance(raw, str) else raw
        if not isinstance(found, bool):
            raise problem
        return found
    if raw is None or isinstance(raw, bool | list | dict):
        raise problem
    if one.kind in (str, Path):
        if not isinstance(raw, str | Path) or (one.kind is Path and "\0" in str(raw)):
            raise problem
        return Path(raw).expanduser() if one.kind is Path else str(raw)
    if one.kind is int and isinstance(raw, float):
        raise problem
    try:
        value = one.kind(raw)
    except (ValueError, TypeError, OverflowError):
        raise problem from None
    if isinstance(value, int) and abs(value) > _MOST:
        raise ValueProblem(f"{_shown(raw)} is too large; a whole number ends at {_MOST}")
    if not math.isfinite(value):
        raise problem
    return value


def _shown(raw: Any) -> str:
    """A value for a message: a date as it is written, and no more of it than one can read."""
    text = raw.isoformat() if isinstance(raw, date | time) else repr(raw)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
