"""Looks something up by the kind of a syntax node."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


class ByKind(dict[type[Any], T]):
    """What stands under the kinds of nodes, for `table[type(node)]`; None for all other kinds.

    What is found for a class is kept under it.
    """

    def __missing__(self, cls: type[Any]) -> T | None:
        found = next((self[base] for base in cls.__mro__[1:] if base in self), None)
        self[cls] = found  # type: ignore[assignment]  # None, so that it is not looked for again
        return found
