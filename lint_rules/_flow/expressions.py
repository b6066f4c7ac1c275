"""Evaluates expressions to values. Calls are handed to `CallReader`."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import libcst as cst

from lint_rules._flow.calls import CallReader
from lint_rules._flow.program import Cursor, Env, FunctionFacts, Program
from lint_rules._flow.syntax import dotted, has_decorator
from lint_rules._flow.text import add_text, is_chat
from lint_rules._flow.values import (
    UNKNOWN,
    CausalLM,
    ChatText,
    Choice,
    ClassRef,
    Constant,
    Decoded,
    Encoded,
    EncodedShape,
    Formatted,
    FunctionRef,
    Generated,
    Instance,
    Items,
    Mapping,
    Method,
    OptionParser,
    PromptLength,
    Sequence,
    Symbol,
    Unknown,
    Value,
    element_of,
    first,
    index_generated,
    join,
    options,
)

_BUILTINS = frozenset(dir(builtins))


class Evaluator:
    """Says what expressions are, recording the events of the calls in them on the way."""

    def __init__(self, program: Program, cursor: Cursor) -> None:
        self.program = program
        self.cursor = cursor
        self.calls = CallReader(self)
        self._by_type: dict[type[cst.CSTNode], Callable[[Any, Env], Value]] = {
            cst.Name: self._name,
            cst.Attribute: self._attribute,
            cst.Call: self.calls.read,
            cst.Subscript: self._subscript,
            cst.SimpleString: self._string,
            cst.ConcatenatedString: self._concatenated,
            cst.FormattedString: self._formatted,
            cst.Integer: lambda node, _: Constant(node.evaluated_value),
            cst.Float: lambda node, _: Constant(node.evaluated_value),
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
            cst.BinaryOperation: self._binary,
            cst.UnaryOperation: self._unary,
            cst.Comparison: self._comparison,
            cst.Await: lambda node, env: self.evaluate(node.expression, env),
            cst.Yield: self._yield,
        }

    def evaluate(self, node: cst.BaseExpression, env: Env) -> Value:
        """The value of an expression in a scope."""
        handler = self._by_type.get(type(node))
        return UNKNOWN if handler is None else handler(node, env)

    # --- names and attributes

    def _name(self, node: cst.Name, env: Env) -> Value:
        found = env.get(node.value)
        if found is not None:
            return found
        if node.value in ("True", "False", "None"):
            return Constant({"True": True, "False": False}.get(node.value))
        return Symbol(f"builtins.{node.value}") if node.value in _BUILTINS else UNKNOWN

    def _attribute(self, node: cst.Attribute, env: Env) -> Value:
        path = dotted(node)
        if path is not None:
            known = env.get(path)
            if known is not None:
                return known
        base = self.evaluate(node.value, env)
        result: Value = UNKNOWN
        for option in options(base):
            result = join(result, self.attribute(option, node.attr.value))
        return result

    def attribute(self, base: Value, name: str) -> Value:
        """An attribute of one value."""
        if isinstance(base, Symbol):
            return Symbol(f"{base.name}.{name}")
        if isinstance(base, (Instance, ClassRef)):
            return self._member(base, name)
        if isinstance(base, OptionParser) and base.parsed:
            return self.program.parser_defaults.get(base.origin, {}).get(name, UNKNOWN)
        if isinstance(base, Encoded):
            if base.part is None and name in ("input_ids", "attention_mask"):
                return Encoded(base.origin, base.tokenizer, name)
            if base.part is not None and name == "shape":
                return EncodedShape(base.origin)
        if isinstance(base, Generated) and base.form == "all" and name == "sequences":
            return Generated(base.origin, "sequences")
        if isinstance(base, CausalLM) and name in ("model", "base_model", "module", "_orig_mod"):
            return base
        if isinstance(base, Unknown):
            return UNKNOWN
        return Method(base, name)

    def _member(self, base: Instance | ClassRef, name: str) -> Value:
        facts = self.program.classes.get(base.node)
        if facts is None:
            return UNKNOWN
        method = facts.methods.get(name)
        if method is not None:
            bound = isinstance(base, Instance) and not has_decorator(method, "staticmethod")
            reference = FunctionRef(method, base if bound else None)
            if has_decorator(method, "property", "cached_property"):
                return self.program.functions[method].result
            return reference
        return facts.attributes.get(name, UNKNOWN)

    def _subscript(self, node: cst.Subscript, env: Env) -> Value:
        base = self.evaluate(node.value, env)
        for element in node.slice:
            self._evaluate_slice(element.slice, env)
        result: Value = UNKNOWN
        for option in options(base):
            result = join(result, self._index(option, node, env))
        return result

    def _evaluate_slice(self, node: cst.BaseSlice, env: Env) -> None:
        if isinstance(node, cst.Index):
            self.evaluate(node.value, env)
        elif isinstance(node, cst.Slice):
            for bound in (node.lower, node.upper, node.step):
                if bound is not None:
                    self.evaluate(bound, env)

    def _index(self, base: Value, node: cst.Subscript, env: Env) -> Value:
        if isinstance(base, Generated):
            return _slice_generated(base, node)
        only = node.slice[0].slice if len(node.slice) == 1 else None
        if isinstance(only, cst.Slice):
            return base if isinstance(base, (Items, Decoded, ChatText)) else UNKNOWN
        if only is None or not isinstance(only, cst.Index):
            return UNKNOWN
        key = self.evaluate(only.value, env)
        return self._item(base, key)

    def _item(self, base: Value, key: Value) -> Value:
        literal = key.value if isinstance(key, Constant) else None
        if isinstance(base, Mapping):
            found = base.get(literal) if isinstance(key, Constant) else None
            if found is not None:
                return found
            result = base.rest
            if not isinstance(key, Constant):
                for _, value in base.entries:
                    result = join(result, value)
            return result
        if isinstance(base, Sequence):
            if isinstance(literal, int) and -len(base.items) <= literal < len(base.items):
                return base.items[literal]
            return element_of(base)
        if isinstance(base, Items):
            return base.element
        if isinstance(base, Encoded):
            if base.part is None and literal in ("input_ids", "attention_mask"):
                return Encoded(base.origin, base.tokenizer, str(literal))
            return base if base.part is not None else UNKNOWN
        if isinstance(base, EncodedShape):
            return PromptLength(base.origin)
        if isinstance(base, Symbol) and base.name == "os.environ":
            return UNKNOWN
        return UNKNOWN

    # --- literals and containers

    def _string(self, node: cst.SimpleString, env: Env) -> Value:  # noqa: ARG002
        return Constant(node.evaluated_value)

    def _concatenated(self, node: cst.ConcatenatedString, env: Env) -> Value:
        return add_text(self.evaluate(node.left, env), self.evaluate(node.right, env))

    def _formatted(self, node: cst.FormattedString, env: Env) -> Value:
        pieces: list[str] = []
        chat = False
        for part in node.parts:
            if isinstance(part, cst.FormattedStringText):
                pieces.append(part.value)
            elif isinstance(part, cst.FormattedStringExpression):
                chat = is_chat(self.evaluate(part.expression, env)) or chat
        return Formatted(tuple(pieces), chat)

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
            elif isinstance(value, Mapping):
                for name, item in value.entries:
                    mapping = mapping.put(name, item)
        return mapping

    # --- operators

    def _if_expression(self, node: cst.IfExp, env: Env) -> Value:
        self.evaluate(node.test, env)
        return join(self.evaluate(node.body, env), self.evaluate(node.orelse, env))

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
        facts = self.program.functions.setdefault(node, FunctionFacts(env, None))
        inner = Env(env, env.function, env.owner)
        for parameter in node.params.params:
            inner.put(parameter.name.value, facts.arguments.get(parameter.name.value, UNKNOWN))
        self.program.add_result(node, self.evaluate(node.body, inner))
        return FunctionRef(node)

    def _comprehension(
        self, node: cst.ListComp | cst.SetComp | cst.GeneratorExp, env: Env
    ) -> Value:
        inner = self._bind_comprehension(node.for_in, env)
        return Items(self.evaluate(node.elt, inner))

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
        inner = Env(env, env.function, env.owner)
        current: cst.CompFor | None = clause
        while current is not None:
            bind_target(self, current.target, element_of(self.evaluate(current.iter, inner)), inner)
            for condition in current.ifs:
                self.evaluate(condition.test, inner)
            current = current.inner_for_in
        return inner

    def _binary(self, node: cst.BinaryOperation, env: Env) -> Value:
        left, right = self.evaluate(node.left, env), self.evaluate(node.right, env)
        if isinstance(node.operator, cst.Add):
            return add_text(left, right)
        if (
            isinstance(node.operator, cst.BitOr)
            and isinstance(left, Mapping)
            and isinstance(right, Mapping)
        ):
            for name, item in right.entries:
                left = left.put(name, item)
            return left
        return UNKNOWN

    def _unary(self, node: cst.UnaryOperation, env: Env) -> Value:
        value = self.evaluate(node.expression, env)
        if (
            isinstance(node.operator, cst.Minus)
            and isinstance(value, Constant)
            and isinstance(value.value, (int, float))
        ):
            return Constant(-value.value)
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
            value = self.evaluate(node.value, env)
            if env.function is not None:
                self.program.add_result(env.function, Items(value))
        return UNKNOWN


def _slice_generated(base: Generated, node: cst.Subscript) -> Value:
    parts = [element.slice for element in node.slice]
    cut = isinstance(parts[-1], cst.Slice) and parts[-1].lower is not None
    if len(parts) == 1:
        if isinstance(parts[0], cst.Index):
            return index_generated(base)
        if base.form == "row" and cut:
            return Generated(base.origin, "completion")
        return base
    if len(parts) == 2 and base.form in ("all", "sequences"):
        if isinstance(parts[0], cst.Index):
            return Generated(base.origin, "completion" if cut else "row")
        return Generated(base.origin, "completions" if cut else base.form)
    return UNKNOWN


def bind_target(evaluator: Evaluator, target: cst.BaseExpression, value: Value, env: Env) -> None:
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
    evaluator: Evaluator, target: cst.Tuple | cst.List, value: Value, env: Env
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


def _bind_member(evaluator: Evaluator, target: cst.Subscript, value: Value, env: Env) -> None:
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
