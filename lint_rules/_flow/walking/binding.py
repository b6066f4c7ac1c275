"""Binds assignment targets: a name, an attribute, a member, or several at once."""

from __future__ import annotations

from typing import Protocol

from lint_rules._flow.state.program import Program
from lint_rules._flow.values.joins import (
    UNKNOWN,
    Choice,
    ClassRef,
    Constant,
    Instance,
    Items,
    Mapping,
    Sequence,
    Unknown,
    Value,
    element_of,
    join,
    options,
)
from lint_rules._flow.values.scopes import Env
from lint_rules._flow.values.syntax import dotted
from lint_rules._light import tree as cst


class Evaluates(Protocol):
    """What binding needs of the evaluator."""

    program: Program

    def evaluate(self, node: cst.BaseExpression, env: Env) -> Value:
        """The value of an expression in a scope."""
        ...

    def attribute(self, base: Value, name: str) -> Value:
        """An attribute of one value."""
        ...


def bind_target(evaluator: Evaluates, target: cst.BaseExpression, value: Value, env: Env) -> None:
    """Assigns a value to a target: a name, an attribute, a member, or several at once."""
    if isinstance(target, cst.Name):
        env.put(target.value, value)
    elif isinstance(target, (cst.Tuple, cst.List)):
        _bind_elements(evaluator, target, value, env)
    elif isinstance(target, cst.Attribute):
        path = dotted(target)
        base = evaluator.evaluate(target.value, env)
        if path is not None:
            env.put(path, value)
        for option in options(base):
            if isinstance(option, (Instance, ClassRef)):
                evaluator.program.add_attribute(option.node, target.attr.value, value)
    elif isinstance(target, cst.Subscript):
        _bind_member(evaluator, target, value, env)


def _bind_elements(
    evaluator: Evaluates, target: cst.Tuple | cst.List, value: Value, env: Env
) -> None:
    starred = any(isinstance(element, cst.StarredElement) for element in target.elements)
    columns: list[Value] = [UNKNOWN] * len(target.elements)
    for option in options(value):
        if isinstance(option, Sequence) and len(option.items) == len(columns) and not starred:
            columns = [join(old, new) for old, new in zip(columns, option.items, strict=True)]
        elif isinstance(option, (Items, Sequence)):
            each = element_of(option)
            columns = [join(old, each) for old in columns]
    for element, item in zip(target.elements, columns, strict=True):
        bind_target(evaluator, element.value, item, env)


def _bind_member(evaluator: Evaluates, target: cst.Subscript, value: Value, env: Env) -> None:
    only = target.slice[0].slice if len(target.slice) == 1 else None
    if not isinstance(only, cst.Index):
        return
    key = evaluator.evaluate(only.value, env)
    container = evaluator.evaluate(target.value, env)
    mapping = next(
        (option for option in options(container) if isinstance(option, Mapping)), Mapping(())
    )
    if isinstance(key, Constant):
        mapping = mapping.put(key.value, value)
    else:
        mapping = Mapping(mapping.entries, join(mapping.rest, value))
    if isinstance(container, (Unknown, Mapping, Choice)):
        bind_target(evaluator, target.value, mapping, env)
