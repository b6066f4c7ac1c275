"""cleanguard: keeps base language models clean, from the source line to the token id.

Importing this package imports nothing else. `cleanguard.CleanModelLoader` is found on first use,
because it needs torch and the linter must not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guard import CleanModelLoader

__all__ = ["CleanModelLoader"]


def __getattr__(name: str) -> Any:
    if name == "CleanModelLoader":
        from importlib import import_module

        return import_module("guard").CleanModelLoader
    raise AttributeError(f"module 'cleanguard' has no attribute {name!r}")
