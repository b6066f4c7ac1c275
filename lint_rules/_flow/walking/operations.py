"""Operators between two values: texts that are put together, paths, rates, dicts that are merged."""

from __future__ import annotations

from typing import Protocol

from lint_rules._flow.state.program import Cursor, Program
from lint_rules._flow.values.events import Rate
from lint_rules._flow.values.joins import (
    UNKNOWN,
    Constant,
    Count,
    Formatted,
    Items,
    JoinedIds,
    Mapping,
    Sequence,
    Value,
    element_of,
    first,
    front_of,
)
from lint_rules._flow.values.scopes import Env
from lint_rules._flow.values.text import add_text, percent_filled
from lint_rules._light import tree as cst

_SLASH = Constant("/")


class Evaluates(Protocol):
    """What an operator needs of the evaluator."""

    program: Program
    cursor: Cursor

    def evaluate(self, node: cst.BaseExpression, env: Env) -> Value:
        """The value of an expression in a scope."""
        ...


def operation(evaluator: Evaluates, node: cst.BinaryOperation, env: Env) -> Value:
    """The value of `left operator right`."""
    left, right = evaluator.evaluate(node.left, env), evaluator.evaluate(node.right, env)
    if isinstance(node.operator, cst.Add):
        if isinstance(left, Sequence) and isinstance(right, Sequence):
            return Sequence((*left.items, *right.items), left.kind)
        front = front_of(left)
        return add_text(left, right) if front is None else JoinedIds(front)
    if isinstance(node.operator, cst.Modulo) and isinstance(left, (Constant, Formatted)):
        if isinstance(left, Constant) and isinstance(left.value, str):
            return percent_filled(left.value, right)
        return add_text(left, right)  # "…%s…" % text
    if isinstance(node.operator, cst.Multiply) and isinstance(left, (Sequence, Items)):
        return Items(element_of(left))
    if isinstance(node.operator, cst.Divide):
        size = first(right, Count)
        counted = size.value if size is not None else _number_by_name(node.right, right)
        if counted is not None:
            evaluator.program.record(Rate(node, evaluator.cursor.place(), counted))
        is_path = isinstance(right, (Constant, Formatted)) and not _is_number(right)
        if not is_path:
            return UNKNOWN
        ends = isinstance(left, Constant) and str(left.value).endswith("/")
        return add_text(left if ends else add_text(left, _SLASH), right)
    if (
        isinstance(node.operator, cst.BitOr)
        and isinstance(left, Mapping)
        and isinstance(right, Mapping)
    ):
        for name, item in right.entries:
            left = left.put(name, item)
        return left
    return UNKNOWN


def _number_by_name(node: cst.BaseExpression, value: Value) -> int | None:
    """`N` where `N = 15`: what a name says is how many there are."""
    only = value.value if isinstance(value, Constant) and isinstance(node, cst.Name) else None
    return only if type(only) is int else None


def _is_number(value: Value) -> bool:
    return isinstance(value, Constant) and not isinstance(value.value, str)
