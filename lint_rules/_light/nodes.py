"""Makes libcst nodes fast: sets the given fields and checks nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import libcst as cst

# Libcst's nodes are frozen dataclasses with slots; a slot's own descriptor still takes a value.
_new = object.__new__
# The fields that the nodes of each class have.
FIELDS: dict[type[Any], tuple[str, ...]] = {}


def maker(cls: type[Any], *fields: str) -> Callable[..., Any]:
    """A function that makes a node of a class from the values of some fields, in order."""
    FIELDS[cls] = fields
    setters = [getattr(cls, field).__set__ for field in fields]
    if len(setters) == 1:
        (only,) = setters

        def make_one(value: object) -> Any:
            node = _new(cls)
            only(node, value)
            return node

        return make_one
    if len(setters) == 2:
        first, second = setters

        def make_two(one: object, two: object) -> Any:
            node = _new(cls)
            first(node, one)
            second(node, two)
            return node

        return make_two

    return _maker_of_many(cls, setters)


def _maker_of_many(
    cls: type[Any], setters: list[Callable[[object, object], None]]
) -> Callable[..., Any]:
    """The same for more fields: written out, because looping over them takes twice as long."""
    names = [f"value_{at}" for at in range(len(setters))]
    lines = [f"    set_{name}(node, {name})" for name in names]
    source = "\n".join(
        [f"def make({', '.join(names)}):", "    node = new(cls)", *lines, "    return node"]
    )
    room: dict[str, Any] = {f"set_{name}": put for name, put in zip(names, setters, strict=True)}
    room.update(new=_new, cls=cls)
    exec(source, room)
    made: Callable[..., Any] = room["make"]
    return made


class LightString(cst.SimpleString):
    """A text or bytes literal by its value; adjacent literals are one."""

    __slots__ = ("evaluated_value",)  # type: ignore[misc]  # a property of the base


class LightInteger(cst.Integer):
    """An integer by its value."""

    __slots__ = ("evaluated_value",)  # type: ignore[misc]  # a property of the base


class LightFloat(cst.Float):
    """A floating-point number by its value."""

    __slots__ = ("evaluated_value",)  # type: ignore[misc]  # a property of the base


make_name = maker(cst.Name, "value")
make_string = maker(LightString, "evaluated_value")
make_integer = maker(LightInteger, "evaluated_value")
make_float = maker(LightFloat, "evaluated_value")
