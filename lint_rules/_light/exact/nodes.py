"""Nodes of exact trees: light ones that know where they stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import libcst

from lint_rules._light import full, operators  # noqa: F401 - of whose classes these nodes are instances
from lint_rules._light import tree as cst
from lint_rules._light.nodes import FIELDS

# Where a node begins that stands where its only part does, with that one's parentheses; and one whose
# place nobody has asked for yet.
AROUND, NOWHERE = -1, -2
# Kinds whose fields are values.
_LEAVES = ("Name", "SimpleString", "Integer", "Float", "FormattedStringText")
# The classes of exact nodes, by libcst's names.
CLASSES: dict[str, type[Any]] = {}
# The fields that hold code, in the order in which libcst visits them; `FIELDS` has the light ones' order.
ORDER: dict[type[Any], tuple[str, ...]] = {}
_LIGHT = {cls.__name__: fields for cls, fields in FIELDS.items()}


class InexactError(Exception):
    """Something that only a full tree has; whoever asked goes on with one."""


class Node:
    """What all nodes have.

    Attributes:
        begin: Its first byte, without its parentheses; `AROUND` or `NOWHERE`.
        finish: The byte after its last.
        room: The text that it stands in.
    """

    __slots__ = ("begin", "finish", "room")
    begin: int
    finish: int
    room: Any

    def visit(self, visitor: Any) -> None:
        """Walks a visitor through it, as libcst's nodes do."""
        if visitor.on_visit(self):
            for child in self.children:
                child.visit(visitor)
        visitor.on_leave(self)

    @property
    def children(self) -> list[Any]:
        """The nodes right below."""
        found: list[Any] = []
        for field in ORDER[type(self)]:
            value = getattr(self, field)
            if isinstance(value, (list, tuple)):
                found += value
            elif isinstance(value, cst.CSTNode):
                found.append(value)
        return found

    @property
    def lpar(self) -> list[int]:
        """Where the parentheses around it open, from the outside in."""
        found: list[int] = self.room.parentheses(self.begin, self.finish)
        return found

    def __getattr__(self, name: str) -> Any:
        whole = getattr(libcst, type(self).__name__, None)
        if name in ("begin", "finish", "room") or not hasattr(whole, name):
            raise AttributeError(f"{type(self).__name__} has no {name}")
        raise InexactError(f"{type(self).__name__}.{name}")


def maker(name: str, *fields: str, more: tuple[str, ...] = ()) -> Callable[..., Any]:
    """A function that makes nodes of a kind from the room, both ends and some fields, in libcst's order.

    Args:
        name: Libcst's name of the kind.
        fields: Those that hold code.
        more: Those that hold none.
    """
    whole = getattr(libcst, name)
    kind = next(
        getattr(cst, base.__name__) for base in whole.__mro__ if hasattr(cst, base.__name__)
    )
    slots = (*fields, *more)
    cls = type(name, (Node, kind), {"__slots__": slots, "__module__": __name__})
    ORDER[cls] = () if name in _LEAVES else fields
    FIELDS[cls] = _LIGHT.get(name, ORDER[cls])
    CLASSES[name] = cls
    whole.register(cls)
    given = ("room", "begin", "finish", *slots)
    lines = [f"    node.{field} = {field}" for field in given]
    source = "\n".join(
        [f"def make({', '.join(given)}):", "    node = new_(cls_)", *lines, "    return node"]
    )
    space: dict[str, Any] = {"new_": object.__new__, "cls_": cls}
    exec(source, space)
    made: Callable[..., Any] = space["make"]
    return made


# Only whitespace tells two operators of a kind apart: one node of each serves all, and has no place.
OPERATORS, AUGMENTED = (
    {kind: maker(type(one).__name__)(None, NOWHERE, 0) for kind, one in table.items()}
    for table in (operators.OPERATORS, operators.AUGMENTED)
)
make_name = maker("Name", "value")
make_ellipsis = maker("Ellipsis")
make_async = maker("Asynchronous")
make_string = maker("SimpleString", "evaluated_value", "value")
make_integer = maker("Integer", "evaluated_value", "value")
make_float = maker("Float", "evaluated_value", "value")
make_from = maker("From", "item")
