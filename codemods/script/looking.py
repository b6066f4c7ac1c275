"""Visitors that only look: libcst's own walk makes every node anew, which took most of a plan's time.

What is between the code (whitespace, commas, parentheses, comments) is not visited.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from typing import Any

import libcst as cst

from lint_rules._light.exact import CLASSES, ORDER

# Trees whose nodes are kept in order: a script as it is, and as it would be.
_TREES = 2
_BETWEEN = re.compile(
    "|".join(
        (
            "whitespace",
            "lines?$",
            "^(header|footer|comma|semicolon|equal|dot|colon|indent|newline|lines_after_decorators)$",
            "^(l|r)(par|bracket|brace)$",
            "_(comma|colon|equal|separator)$",
        )
    )
)
_Method = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class _Tree:
    """The nodes of a module in the order of the text.

    Attributes:
        nodes: Each before those inside it.
        ends: The index after the last node inside each.
        by_type: The indices of the nodes of each class.
    """

    nodes: list[cst.CSTNode]
    ends: list[int]
    by_type: dict[type[cst.CSTNode], list[int]]


class Looking(cst.CSTVisitor):
    """A visitor with methods `visit_…` and `leave_…` for some classes, given to `node.visit` as ever."""

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Looks at a node and all inside it, and tells libcst to stay out."""
        methods = _methods(type(self))
        if isinstance(node, cst.Module):
            self._look_in_order(_tree(node), methods)
        else:
            self._look(node, methods)
        return False

    def on_leave(self, original_node: cst.CSTNode) -> None:
        """Nothing: the look has left it already."""

    def _look(
        self, node: cst.CSTNode, methods: dict[type[cst.CSTNode], tuple[_Method, _Method]]
    ) -> None:
        visit, leave = methods.get(type(node), _NEITHER)
        if visit is _nothing or visit(self, node) is not False:
            for child in _children(node):
                self._look(child, methods)
        leave(self, node)

    def _look_in_order(
        self, tree: _Tree, methods: dict[type[cst.CSTNode], tuple[_Method, _Method]]
    ) -> None:
        """Goes to the nodes that there are methods for, and past all others."""
        found = [tree.by_type.get(kind, ()) for kind in methods]
        inside: list[int] = []
        after = 0
        for index in sorted(at for indices in found for at in indices):
            if index < after:
                continue
            while inside and tree.ends[inside[-1]] <= index:
                self._leave(tree.nodes[inside.pop()], methods)
            node = tree.nodes[index]
            if methods[type(node)][0](self, node) is False:
                after = tree.ends[index]
            inside.append(index)
        while inside:
            self._leave(tree.nodes[inside.pop()], methods)

    def _leave(
        self, node: cst.CSTNode, methods: dict[type[cst.CSTNode], tuple[_Method, _Method]]
    ) -> None:
        methods[type(node)][1](self, node)


def _nothing(_visitor: Any, _node: Any) -> None:
    """For a class without a method."""


_NEITHER: tuple[_Method, _Method] = (_nothing, _nothing)


@cache
def _methods(visitor: type[Looking]) -> dict[type[cst.CSTNode], tuple[_Method, _Method]]:
    """What a visitor has for each class of nodes."""
    found: dict[type[cst.CSTNode], tuple[_Method, _Method]] = {}
    for name in dir(visitor):
        kind, _, node = name.partition("_")
        method = getattr(visitor, name)
        own = method is not getattr(cst.CSTVisitor, name, None)
        if own and kind in ("visit", "leave"):
            visit, leave = found.get(getattr(cst, node), _NEITHER)
            found[getattr(cst, node)] = (method, leave) if kind == "visit" else (visit, method)
    for full in list(found):
        if full.__name__ in CLASSES:
            found[CLASSES[full.__name__]] = found[full]
    return found


def _children(node: cst.CSTNode) -> list[cst.CSTNode]:
    found: list[cst.CSTNode] = []
    for field in _FIELDS.get(type(node)) or _fields(node):
        value = getattr(node, field)
        if isinstance(value, (list, tuple)):
            found += value
        elif isinstance(value, cst.CSTNode):
            found.append(value)
    return found


_FIELDS: dict[type[cst.CSTNode], tuple[str, ...]] = dict(ORDER)


def _fields(node: cst.CSTNode) -> tuple[str, ...]:
    """The fields of a node's class that hold code, in the order of libcst's own walk."""
    known = _FIELDS.get(type(node))
    if known is None:
        order = _Order()
        node.visit(order)
        # A sequence that may be missing is not told of where it is: the format of an f-string's part.
        more = [f.name for f in fields(node) if "Sequence" in str(f.type)]
        known = _FIELDS[type(node)] = tuple(
            field for field in dict.fromkeys((*order.fields, *more)) if not _BETWEEN.search(field)
        )
    return known


class _Order(cst.CSTVisitor):
    """Notes the fields of the first node that it is given."""

    def __init__(self) -> None:
        self.fields: list[str] = []
        self._depth = 0

    def on_visit(self, node: cst.CSTNode) -> bool:  # noqa: ARG002
        self._depth += 1
        return self._depth == 1

    def on_leave(self, original_node: cst.CSTNode) -> None:  # noqa: ARG002
        self._depth -= 1

    def on_visit_attribute(self, node: cst.CSTNode, attribute: str) -> None:  # noqa: ARG002
        self.fields.append(attribute)


@lru_cache(maxsize=_TREES)
def _tree(module: cst.Module) -> _Tree:
    tree = _Tree([], [], {})
    _note(module, tree)
    return tree


def _note(node: cst.CSTNode, tree: _Tree) -> None:
    index = len(tree.nodes)
    tree.nodes.append(node)
    tree.ends.append(0)
    tree.by_type.setdefault(type(node), []).append(index)
    for child in _children(node):
        _note(child, tree)
    tree.ends[index] = len(tree.nodes)
