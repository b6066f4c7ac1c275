"""One form of JSON for digests, and a reader that takes nothing but plain, unambiguous JSON."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any, NoReturn


def canonical(value: Any) -> bytes:
    """JSON with sorted names, no spaces, ASCII only: the same value gives the same bytes.

    Raises:
        ValueError: NaN or an infinity, which JSON does not have.
        TypeError: Something that is no JSON type.
    """
    text = json.dumps(
        value, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":")
    )
    return text.encode("ascii")


def digest(value: Any) -> str:
    """sha256 of a value's canonical JSON, as hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def one_line(value: Any) -> bytes:
    """A value as one line of JSON in UTF-8, newline included; raises as `canonical`."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can say
        return json.dumps(value, allow_nan=False).encode() + b"\n"


def parse(text: bytes) -> Any:
    """Parse JSON strictly.

    Raises:
        ValueError: No JSON, not UTF-8, NaN or an infinity, or a name that stands twice in one
            object (readers would disagree on what it says).
    """
    return json.loads(
        text.decode("utf-8"),
        object_pairs_hook=_pairs,
        parse_constant=_refuse,
        parse_float=_finite,
    )


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands twice in one object")
    return found


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
