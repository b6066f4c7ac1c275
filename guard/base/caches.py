"""What transformers calls the keys and values of earlier tokens: `past_key_values`, and `cache` since 5.24."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

# `cache_params` and `state` are those of state-space models.
NAMES = ("cache", "past_key_values", "cache_params", "state")


def cache_in(arguments: Mapping[str, Any]) -> Any:
    """The first cache among a call's keywords; None where there is none."""
    for name in NAMES:
        found = arguments.get(name)
        if found is not None:
            return found
    return None


def keyword_of(model: Any) -> str | None:
    """What a model's forward pass calls the attention's cache; None if it takes none."""
    names = inspect.signature(model.forward).parameters
    return next((name for name in NAMES[:2] if name in names), None)


def cache_of(output: Any) -> Any:
    """The cache that a forward pass gave back; None if it gave none."""
    # One after the other: since 5.24 asking for an old name is a warning.
    return next((output[name] for name in NAMES if name in output), None)
