"""Reads ids, masks and keywords of calls into values that nothing can change any more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

from guard.observing.events import Padding, Rows

_SECRET = frozenset({"token", "use_auth_token", "api_key", "hf_token"})
_DEEPEST = 6


def frozen_value(value: Any, depth: int = 0) -> Any:
    """A keyword's value as JSON's types; other objects by their class or their own dictionary."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return frozen_mapping(value, depth + 1)
    if isinstance(value, (list, tuple)):
        return tuple(frozen_value(item, depth + 1) for item in value)
    if isinstance(value, (set, frozenset)):
        return tuple(sorted((frozen_value(item, depth + 1) for item in value), key=str))
    text = str(value) if type(value).__module__ == "torch" and not hasattr(value, "shape") else ""
    if text:  # a dtype or a device
        return text
    if hasattr(value, "to_dict") and not isinstance(value, type):
        return frozen_mapping(value.to_dict(), depth + 1)
    shape = getattr(value, "shape", None)
    name = getattr(value, "__qualname__", type(value).__name__)
    return f"<{name}{list(shape) if shape is not None else ''}>"


def frozen_mapping(found: Mapping[Any, Any], depth: int = 0) -> Mapping[str, Any]:
    """Keywords by name, secrets left out."""
    return MappingProxyType(
        {
            str(key): "…" if key in _SECRET and value else frozen_value(value, depth)
            for key, value in found.items()
        }
    )


def rows_of(found: Any) -> Rows | None:
    """Rows of whole numbers from a tensor, an array or lists of one or two dimensions; else None."""
    if found is None:
        return None
    if hasattr(found, "tolist"):
        found = found.tolist()
    if not isinstance(found, (list, tuple)):
        return ((found,),) if isinstance(found, int) else None
    if found and not isinstance(found[0], int):
        rows = [_row_of(row) for row in found]
        return None if any(row is None for row in rows) else tuple(rows)  # type: ignore[arg-type]
    row = _row_of(found)
    return None if row is None else (row,)


def _row_of(row: Any) -> tuple[int, ...] | None:
    if hasattr(row, "tolist"):
        row = row.tolist()
    if not isinstance(row, (list, tuple)) or (row and type(row[0]) not in (int, bool)):
        return None
    return tuple(row)


def dtype_of(model: Any) -> str:
    """The dtype of a model's first parameter of floating point, as `model.dtype` finds it.

    That lists all modules first, which is many calls for what nearly always stands in the embedding.
    """
    waiting = [model]
    while waiting:
        module = waiting.pop()
        own = module._parameters
        for name in own:
            parameter = own[name]
            if parameter is not None and parameter.is_floating_point():
                return str(parameter.dtype)
        parts = module._modules
        waiting += [parts[name] for name in reversed(parts) if parts[name] is not None]
    return str(model.dtype)


def padding_of(mask: Rows | None) -> Padding:
    """At which end a mask has zeros."""
    if mask is None:
        return "unknown"
    # A row of zeros alone has no end.
    left = any(row and not row[0] for row in mask if 1 in row)
    right = any(row and not row[-1] for row in mask if 1 in row)
    return "both" if left and right else "left" if left else "right" if right else "none"


def texts_of(found: Any) -> tuple[str, ...]:
    """A text, or several; pairs and words already split are joined by a blank."""
    if isinstance(found, str):
        return (found,)
    if not isinstance(found, (list, tuple)):
        return ()
    return tuple(
        item if isinstance(item, str) else " ".join(map(str, item))
        for item in found
        if isinstance(item, (str, list, tuple))
    )
