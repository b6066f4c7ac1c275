"""Evaluates expressions to values. Calls are handed to `CallReader`."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, cast

from lint_rules._flow.state.members import Members
from lint_rules._flow.state.program import Cursor, FunctionFacts, Program
from lint_rules._flow.values.joins import (
    UNKNOWN,
    Choice,
    Constant,
    Encoded,
    FunctionRef,
    Items,
    Mapping,
    Sequence,
    Symbol,
    Unknown,
    Value,
    as_mapping,
    better,
    bounded,
    count_of,
    element_of,
    first,
    join,
)
from lint_rules._flow.values.scopes import Env
from lint_rules._flow.values.text import add_text, filled
from lint_rules._flow.walking.binding import bind_target
from lint_rules._flow.walking.calls import CallReader
from lint_rules._flow.walking.imports import star_imported
from lint_rules._flow.walking.operations import operation
from lint_rules._flow.walking.pad_masks import IGNORED, note_mask
from lint_rules._light import tree as cst
from lint_rules._light.by_kind import ByKind
from lint_rules._light.nodes import NAME

_Literal: TypeAlias = "cst.SimpleString | cst.Integer | cst.Float"
_BUILTINS = frozenset(dir(builtins))
_TEXT_PARTS = (cst.FormattedStringText, cst.TemplatedStringText)
_Read = Callable[[Any, Env], Value]
_CONSTANTS = {"True": True, "False": False, "None": None}


class Evaluator:
    """Says what expressions are, recording the events of the calls in them on the way."""

    def __init__(self, program: Program, cursor: Cursor) -> None:
        self.program = program
        self.cursor = cursor
        self.calls = CallReader(self)
        self.members = Members(program)
        # Names that a loop reads while nothing has bound them: it may bind them further down.
        self.missed: set[str] | None = None
        self._by_type = ByKind[_Read | None](
            {
                cst.Name: lambda node, env: self.named(node.value, env),  # of a full tree
                cst.Attribute: self._attribute,
                cst.Call: self.calls.read,
                cst.Subscript: self._subscript,
                cst.SimpleString: self._literal,
                cst.ConcatenatedString: self._concatenated,
                cst.FormattedString: self._formatted,
                cst.TemplatedString: self._formatted,
                cst.Integer: self._literal,
                cst.Float: self._literal,
                cst.Tuple: self._sequence,
                cst.List: self._sequence,
                cst.Set: self._set,
                cst.Dict: self._dict,
                cst.IfExp: self._if_expression,
                cst.BooleanOperation: self._boolean,
                cst.NamedExpr: self._walrus,
                cst.Lambda: self._lambda,
                cst.ListComp: self._comprehension,
                cst.SetComp: self._comprehension,
                cst.GeneratorExp: self._comprehension,
                cst.DictComp: self._dict_comprehension,
                cst.BinaryOperation: lambda node, env: operation(self, node, env),
                cst.UnaryOperation: self._unary,
                cst.Comparison: self._comparison,
                cst.Await: lambda node, env: self.evaluate(node.expression, env),
                cst.Yield: self._yield,
                cst.StarredElement: lambda node, env: self.evaluate(node.value, env),
            }
        )

    def evaluate(self, node: cst.BaseExpression, env: Env) -> Value:
        """The value of an expression in a scope."""
        kind = type(node)
        if kind is NAME:  # half of all expressions
            name: str = node.value  # type: ignore[attr-defined]  # by its type
            found = env.names.get(name)
            return self.named(name, env) if found is None else found
        handler = self._by_type[kind]
        return UNKNOWN if handler is None else handler(node, env)

    def named(self, name: str, env: Env) -> Value:
        """The value of a name in a scope."""
        found = env.get(name)
        return self._free(name) if found is None else found

    def _free(self, name: str) -> Value:
        """The value of a name that nothing binds so far."""
        if self.missed is not None:
            self.missed.add(name)
        if name in _CONSTANTS:
            return Constant(_CONSTANTS[name])
        if name in _BUILTINS:
            return Symbol(f"builtins.{name}")
        return star_imported(self.program, name) or UNKNOWN

    def returned(self, value: Value, env: Env) -> None:
        """Joins what a function returns or yields."""
        if env.scope.replayed is not None:
            env.scope.replayed = bounded(join(env.scope.replayed, value))
        elif env.function is not None:
            self.program.add_result(env.function, value)

    def attribute(self, base: Value, name: str) -> Value:
        """An attribute of one value."""
        return self.members.attribute(base, name)

    def _attribute(self, node: cst.Attribute, env: Env) -> Value:
        path = self.program.path_of(node)
        if path is not None:
            known = env.get(path)
            if known is not None:
                return known
            if self.missed is not None:
                self.missed.add(path)
        base = self.evaluate(node.value, env)
        if type(base) is Unknown:  # most of them
            return UNKNOWN
        if type(base) is not Choice:
            return better(self.members.attribute(base, node.attr.value))
        result: Value = UNKNOWN
        for option in base.options:
            result = join(result, self.members.attribute(option, node.attr.value))
        return result

    def _subscript(self, node: cst.Subscript, env: Env) -> Value:
        base = self.evaluate(node.value, env)
        keys = [self._slice(element.slice, env) for element in node.slice]
        if type(base) is not Choice:
            return better(self.members.subscript(base, node, keys))
        result: Value = UNKNOWN
        for option in base.options:
            result = join(result, self.members.subscript(option, node, keys))
        return result

    def _slice(self, node: cst.BaseSlice, env: Env) -> Value:
        """The key of an index; the upper bound of a slice."""
        if isinstance(node, cst.Index):
            return self.evaluate(node.value, env)
        if not isinstance(node, cst.Slice):
            return UNKNOWN
        for bound in (node.lower, node.step):
            if bound is not None:
                self.evaluate(bound, env)
        return UNKNOWN if node.upper is None else self.evaluate(node.upper, env)

    # --- literals and containers

    def _literal(self, node: _Literal, env: Env) -> Value:  # noqa: ARG002
        try:
            return Constant(node.evaluated_value)
        except (ValueError, SyntaxError):  # more digits than Python reads
            return UNKNOWN

    def _concatenated(self, node: cst.ConcatenatedString, env: Env) -> Value:
        return add_text(self.evaluate(node.left, env), self.evaluate(node.right, env))

    def _formatted(self, node: cst.FormattedString, env: Env) -> Value:
        """An f-string, or a t-string."""
        parts: list[str | Value] = []
        for part in cast("Iterable[Any]", node.parts):
            if isinstance(part, _TEXT_PARTS):
                parts.append(part.value)
                continue
            value = self.evaluate(part.expression, env)
            if part.format_spec:
                value = UNKNOWN
                self._spec(part.format_spec, env)
            parts.append(value)
        return filled(parts)

    def _spec(self, parts: Iterable[Any], env: Env) -> None:
        """What stands in braces behind the colon is evaluated as well."""
        for part in parts:
            if not isinstance(part, _TEXT_PARTS):
                self.evaluate(part.expression, env)

    def _sequence(self, node: cst.Tuple | cst.List, env: Env) -> Value:
        kind = "tuple" if isinstance(node, cst.Tuple) else "list"
        values = [self.evaluate(element.value, env) for element in node.elements]
        if (
            any(isinstance(element, cst.StarredElement) for element in node.elements)
            or len(values) > 64
        ):
            merged: Value = UNKNOWN
            for element, value in zip(node.elements, values, strict=True):
                merged = join(
                    merged, element_of(value) if isinstance(element, cst.StarredElement) else value
                )
            return Items(merged)
        return Sequence(tuple(values), "tuple" if kind == "tuple" else "list")

    def _set(self, node: cst.Set, env: Env) -> Value:
        merged: Value = UNKNOWN
        for element in node.elements:
            merged = join(merged, self.evaluate(element.value, env))
        return Items(merged)

    def _dict(self, node: cst.Dict, env: Env) -> Value:
        mapping = Mapping(())
        for element in node.elements:
            value = self.evaluate(element.value, env)
            if isinstance(element, cst.DictElement):
                key = self.evaluate(element.key, env)
                if isinstance(key, Constant):
                    mapping = mapping.put(key.value, value)
                else:
                    mapping = Mapping(mapping.entries, join(mapping.rest, value))
                continue
            encoded = first(value, Encoded)
            spread = first(value, Mapping) if encoded is None else as_mapping(encoded)
            for name, item in () if spread is None else spread.entries:
                mapping = mapping.put(name, item)
        return mapping

    # --- operators

    def _if_expression(self, node: cst.IfExp, env: Env) -> Value:
        self.evaluate(node.test, env)
        body, other = self.evaluate(node.body, env), self.evaluate(node.orelse, env)
        if IGNORED in (body, other):
            note_mask(self, node, node.test, env)
        return join(_unless_other(body, other), _unless_other(other, body))

    def _boolean(self, node: cst.BooleanOperation, env: Env) -> Value:
        left, right = self.evaluate(node.left, env), self.evaluate(node.right, env)
        if isinstance(node.operator, cst.Or):
            if isinstance(right, Constant) and isinstance(left, Unknown):
                return Constant(right.value, fixed=False)
            return join(left, right)
        return right

    def _walrus(self, node: cst.NamedExpr, env: Env) -> Value:
        value = self.evaluate(node.value, env)
        if isinstance(node.target, cst.Name):
            env.put(node.target.value, value)
        return value

    def _lambda(self, node: cst.Lambda, env: Env) -> Value:
        facts = self.program.functions.setdefault(
            node, FunctionFacts(env.scope, None, home=self.program)
        )
        self.program.ledger.read((node, "arguments"))
        inner = env.inner()
        for parameter in node.params.params:
            inner.put(parameter.name.value, facts.arguments.get(parameter.name.value, UNKNOWN))
        self.program.add_result(node, self.evaluate(node.body, inner))
        return FunctionRef(node)

    def _comprehension(
        self, node: cst.ListComp | cst.SetComp | cst.GeneratorExp, env: Env
    ) -> Value:
        inner = self._bind_comprehension(node.for_in, env)
        element = self.evaluate(node.elt, inner)
        single = node.for_in.inner_for_in is None and not node.for_in.ifs
        return Items(element, count_of(self.evaluate(node.for_in.iter, env)) if single else None)

    def _dict_comprehension(self, node: cst.DictComp, env: Env) -> Value:
        source = self.calls.iterated(node.for_in.iter, env)
        inner = self._bind_comprehension(node.for_in, env)
        key = self.evaluate(node.key, inner)
        value = self.evaluate(node.value, inner)
        encoded = first(source, Encoded)
        if encoded is not None:
            return encoded  # {k: v.to(device) for k, v in inputs.items()}
        if isinstance(key, Constant):
            return Mapping(((key.value, value),))
        return Mapping((), value)

    def _bind_comprehension(self, clause: cst.CompFor, env: Env) -> Env:
        inner = env.inner()
        current: cst.CompFor | None = clause
        while current is not None:
            bind_target(self, current.target, element_of(self.evaluate(current.iter, inner)), inner)
            for condition in current.ifs:
                self.evaluate(condition.test, inner)
            current = current.inner_for_in
        return inner

    def _unary(self, node: cst.UnaryOperation, env: Env) -> Value:
        value = self.evaluate(node.expression, env)
        if (
            isinstance(node.operator, cst.Minus)
            and isinstance(value, Constant)
            and isinstance(value.value, (int, float))
        ):
            return Constant(-value.value)
        if isinstance(node.operator, cst.Not) and isinstance(value, Constant):
            return Constant(not value.value, fixed=value.fixed)
        return UNKNOWN

    def _comparison(self, node: cst.Comparison, env: Env) -> Value:
        self.evaluate(node.left, env)
        for target in node.comparisons:
            self.evaluate(target.comparator, env)
        return UNKNOWN

    def _yield(self, node: cst.Yield, env: Env) -> Value:
        if isinstance(node.value, cst.From):
            self.evaluate(node.value.item, env)
        elif node.value is not None:
            self.returned(Items(self.evaluate(node.value, env)), env)
        return UNKNOWN


def _unless_other(value: Value, other: Value) -> Value:
    """One side of a condition whose other side is unknown: a literal is one of many values."""
    if isinstance(value, Constant) and value.value is not None and isinstance(other, Unknown):
        return Constant(value.value, fixed=False, optional=value.optional)
    return value
