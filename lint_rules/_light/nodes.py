"""Makes light nodes fast: a class with the fields that hold code, and a function that sets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lint_rules._light import tree as cst

# The fields that the nodes of each class have, in order.
FIELDS: dict[type[Any], tuple[str, ...]] = {}


def maker(kind: type[Any], *fields: str) -> Callable[..., Any]:
    """A function that makes light nodes of a kind from the values of some fields, in order.

    It is written out: an `__init__`, or a loop over the fields, takes twice as long.
    """
    cls = type(kind.__name__, (kind,), {"__slots__": fields, "__module__": __name__})
    FIELDS[cls] = fields
    if not fields:
        return cls
    lines = [f"    node.{field} = {field}" for field in fields]
    source = "\n".join(
        [f"def make({', '.join(fields)}):", "    node = new_(cls_)", *lines, "    return node"]
    )
    room: dict[str, Any] = {"new_": object.__new__, "cls_": cls}
    exec(source, room)
    made: Callable[..., Any] = room["make"]
    return made


make_name = maker(cst.Name, "value")
NAME = type(make_name(""))
# Literals by their values; adjacent texts are one.
make_string = maker(cst.SimpleString, "evaluated_value")
make_integer = maker(cst.Integer, "evaluated_value")
make_float = maker(cst.Float, "evaluated_value")
