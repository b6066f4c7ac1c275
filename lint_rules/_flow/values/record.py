"""Dataclasses that are made by the million: frozen for the type checker, fast at run time.

A frozen dataclass sets each field through `object.__setattr__`, which took a tenth of a check.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

T = TypeVar("T")

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform

    @dataclass_transform(frozen_default=True)
    def by_content(cls: type[T]) -> type[T]:
        """A dataclass that compares and hashes by its fields; nobody changes one."""

    @dataclass_transform(frozen_default=True, eq_default=False)
    def by_identity(cls: type[T]) -> type[T]:
        """A dataclass that is equal to itself only; nobody changes one."""

else:
    by_content = dataclass(slots=True, unsafe_hash=True)
    by_identity = dataclass(slots=True, eq=False)
