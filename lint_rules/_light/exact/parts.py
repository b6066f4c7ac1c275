"""What expressions and statements of exact trees share: arguments, parameters, elements, dotted names."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from lint_rules._light.exact.nodes import AROUND, NOWHERE, make_name, maker
from lint_rules._light.exact.room import Room

_arg = maker("Arg", "keyword", "value", more=("star",))
_element = maker("Element", "value")
make_tuple = maker("Tuple", "elements")
make_attribute = maker("Attribute", "value", "attr")
_param = maker("Param", "name", "annotation", "default", more=("star",))
_param_star = maker("ParamStar")
_parameters = maker(
    "Parameters", "posonly_params", "params", "star_arg", "kwonly_params", "star_kwarg"
)
_annotation = maker("Annotation", "annotation")


class Parts:
    """Makes what stands in several kinds of nodes.

    Args:
        room: The text that they stand in.

    Attributes:
        room: The text.
        lines: Where each line begins that the interpreter's places are told by.
    """

    def __init__(self, room: Room) -> None:
        self.room = room
        self.lines = room.lines

    def make(self, node: ast.expr) -> Any:
        """The node of an expression."""
        raise NotImplementedError

    def optional(self, node: ast.expr | None) -> Any:
        """The node of an expression, None for None."""
        return None if node is None else self.make(node)

    def arguments(self, positional: Sequence[ast.expr], keywords: Sequence[ast.keyword]) -> Any:
        """The arguments of a call, or the bases and keywords of a class, in the order of the source."""
        room, lines = self.room, self.lines
        made: list[Any] = []
        for node in positional:
            if isinstance(node, ast.Starred):
                begin, finish = self.ends(node)
                made.append(_arg(room, begin, finish, None, self.make(node.value), "*"))
            else:
                made.append(_arg(room, AROUND, 0, None, self.make(node), ""))
        for given in keywords:
            begin, finish = self.ends(given)
            value = self.make(given.value)
            if given.arg is None:
                made.append(_arg(room, begin, finish, None, value, "**"))
            else:
                end = begin + len(given.arg.encode())
                name = make_name(room, begin, end, given.arg)
                made.append(_arg(room, begin, finish, name, value, ""))
        if positional and keywords and isinstance(positional[-1], ast.Starred):
            both: list[ast.expr | ast.keyword] = [*positional, *keywords]
            places = [lines[node.lineno - 1] + node.col_offset for node in both]
            return [made[index] for index in sorted(range(len(made)), key=places.__getitem__)]
        return made

    def ends(self, node: Any) -> tuple[int, int]:
        """Where something of the interpreter's tree begins and ends."""
        lines = self.lines
        begin = lines[node.lineno - 1] + node.col_offset
        return begin, lines[node.end_lineno - 1] + node.end_col_offset

    def parameters(self, node: ast.arguments) -> Any:
        """The parameters of a function."""
        room = self.room
        plain = [*node.posonlyargs, *node.args]
        defaults = [*([None] * (len(plain) - len(node.defaults))), *node.defaults]
        made = [self._parameter(arg, default) for arg, default in zip(plain, defaults, strict=True)]
        split = len(node.posonlyargs)
        keyword_only = [
            self._parameter(arg, default)
            for arg, default in zip(node.kwonlyargs, node.kw_defaults, strict=True)
        ]
        if node.vararg is not None:
            star: Any = self._parameter(node.vararg, None, "*")
        else:
            star = _param_star(room, NOWHERE, 0) if keyword_only else None
        rest = None if node.kwarg is None else self._parameter(node.kwarg, None, "**")
        return _parameters(room, NOWHERE, 0, made[:split], made[split:], star, keyword_only, rest)

    def annotation(self, node: ast.expr | None) -> Any:
        """An annotation, None for none."""
        return None if node is None else _annotation(self.room, NOWHERE, 0, self.make(node))

    def elements(self, nodes: Sequence[ast.expr]) -> list[Any]:
        """The elements of a tuple, list or set."""
        room = self.room
        return [
            self.make(node)
            if isinstance(node, ast.Starred)
            else _element(room, AROUND, 0, self.make(node))
            for node in nodes
        ]

    def tuple_of(self, nodes: Sequence[ast.expr]) -> Any:
        """Targets that stand without parentheses."""
        return make_tuple(self.room, NOWHERE, 0, self.elements(nodes))

    def dotted_name(self, path: str, begin: int) -> Any:
        """`a.b.c`, as an import names it."""
        room = self.room
        code = path.encode()
        here = room.utf8.startswith(code, begin)
        head, *rest = path.split(".")
        end = begin + len(head.encode())
        node = make_name(room, *((begin, end) if here else (NOWHERE, 0)), head)
        for part in rest:
            start, end = end + 1, end + 1 + len(part.encode())
            name = make_name(room, *((start, end) if here else (NOWHERE, 0)), part)
            node = make_attribute(room, *((begin, end) if here else (NOWHERE, 0)), node, name)
        return node

    def _parameter(self, arg: ast.arg, default: ast.expr | None, star: str = "") -> Any:
        begin, finish = self.ends(arg)
        end = begin + len(arg.arg.encode())
        name = make_name(self.room, begin, end, arg.arg)
        whole = not star and default is None and end == finish
        note, value = self.annotation(arg.annotation), self.optional(default)
        place = (begin, finish) if whole else (NOWHERE, 0)
        return _param(self.room, *place, name, note, value, star)
