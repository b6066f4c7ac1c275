"""Dataclasses that are made by the million: frozen for the type checker, fast at run time.

A frozen dataclass sets each field through `object.__setattr__`, which took a tenth of a check. And writing the
methods of fifty classes takes as long as following a file, which makes objects of a few of them: they are
written when a class is first used.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

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

    def by_content(cls: type[T]) -> type[T]:
        return _later(cls, ("__init__", "__repr__", "__eq__", "__hash__"))

    def by_identity(cls: type[T]) -> type[T]:
        return _later(cls, ("__init__", "__repr__"))


def _later(cls: type[Any], names: tuple[str, ...]) -> type[Any]:
    """The dataclass with an `__init__` that writes all of its methods when the first object is made."""
    made: type[Any] = dataclass(init=False, repr=False, eq=False, slots=True)(cls)

    def first(self: object, *args: object, **keywords: object) -> None:
        _write(made, names)
        made.__init__(self, *args, **keywords)  # the written one

    made.__init__ = first
    return made


def _write(cls: type[Any], names: tuple[str, ...]) -> None:
    every = fields(cls)
    own = "".join(f"self.{field.name}, " for field in every)
    other = own.replace("self.", "other.")
    given = ", ".join(
        field.name if field.default is MISSING else f"{field.name}=default_{field.name}"
        for field in every
    )
    sets = [f"    self.{field.name} = {field.name}" for field in every]
    said = ", ".join(f"{field.name}={{self.{field.name}!r}}" for field in every)
    lines = [
        f"def __init__(self, {given}):", *sets, "    return None",
        "def __repr__(self):", f"    return f'{cls.__qualname__}({said})'",
        "def __eq__(self, other):",
        f"    return ({own}) == ({other}) if other.__class__ is self.__class__ else NotImplemented",
        "def __hash__(self):", f"    return hash(({own}))",
    ]  # fmt: skip
    room: dict[str, Any] = {f"default_{field.name}": field.default for field in every}
    exec("\n".join(lines), room)
    for name in names:
        setattr(cls, name, room[name])
