"""What can be told of a dict's keys: which are certainly there, which perhaps, and what stands under them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Literal

import libcst as cst

from codemods.script.looking import Looking
from lint_rules._flow.values.joins import Value
from lint_rules._flow.values.syntax import dotted

# Calls that keep no hold of what they are given, and do not change it.
_READERS = frozenset(
    "print len str repr dict list sorted set tuple bool dump dumps copy deepcopy info debug warning error log".split()  # noqa: SIM905
)
_READS = frozenset(["get", "items", "keys", "values", "copy"])


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a dict.

    Attributes:
        certain: The keys that are there on every way; None on a way that is never gone.
        values: What may stand under each key that may be there.
        closed: No other key may be there.
        supplied: It is, or holds, what a caller gives.
    """

    certain: frozenset[str] | None = frozenset()
    values: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    closed: bool = True
    supplied: bool = False

    def put(self, key: str, value: Value) -> Keys:
        """With one entry set."""
        return self.then(Keys(frozenset([key]), {key: (value,)}))

    def kept(self, key: str, value: Value) -> Keys:
        """With one entry set unless it is there: `setdefault`."""
        return Keys(frozenset([key]), {key: (value,)}).then(self)

    def then(self, later: Keys) -> Keys:
        """With the entries of a dict put over it."""
        if self.certain is None or later.certain is None:
            return NEVER
        values = dict(self.values)
        for key, options in later.values.items():
            old = () if key in later.certain else values.get(key, ())
            values[key] = _either(old, options)
        return Keys(
            self.certain | later.certain,
            values,
            self.closed and later.closed,
            self.supplied or later.supplied,
        )

    def or_else(self, other: Keys) -> Keys:
        """This dict or another: two ways that meet."""
        if self.certain is None or other.certain is None:
            return other if self.certain is None else self
        names = {*self.values, *other.values}
        return Keys(
            self.certain & other.certain,
            {
                name: _either(self.values.get(name, ()), other.values.get(name, ()))
                for name in names
            },
            self.closed and other.closed,
            self.supplied or other.supplied,
        )

    def loose(self) -> Keys:
        """After something that may have changed it in any way."""
        return self if self.certain is None else replace(self, certain=frozenset(), closed=False)

    def is_certain(self, key: str) -> bool:
        """Whether a key is there on every way."""
        return self.certain is not None and key in self.certain

    def is_absent(self, key: str) -> bool:
        """Whether a key is there on no way."""
        return self.closed and key not in self.values


NEVER = Keys(None)
LOOSE = Keys(closed=False)


def any_of(options: list[Keys]) -> Keys:
    """One dict of several."""
    return reduce(Keys.or_else, options, NEVER)


def _either(one: tuple[Value, ...], other: tuple[Value, ...]) -> tuple[Value, ...]:
    return (*one, *(value for value in other if value not in one))


@dataclass(frozen=True, slots=True)
class Effect:
    """What is done to a dict at one place; `value` is None where it cannot be read."""

    kind: Literal["assign", "put", "keep", "merge", "loose"]
    key: str = ""
    value: cst.BaseExpression | None = None
    function: cst.FunctionDef | None = None


class Effects(Looking):
    """What is done to a name, or to an attribute of this name of any object, in the order of the text.

    Args:
        path: The name, or the attribute with its owner.
        function: Where the text stands.
        removes: The module takes something out of some dict.
        others: Functions in which the name is another one.
    """

    def __init__(
        self,
        path: str,
        function: cst.FunctionDef | None,
        *,
        removes: bool,
        others: frozenset[cst.FunctionDef] = frozenset(),
    ) -> None:
        self.owner, _, self.name = path.rpartition(".")
        self.found: list[Effect] = []
        self._removes = removes
        self._others = others
        self._functions = [function]
        self._fine: set[cst.CSTNode] = set()

    def _is(self, node: cst.CSTNode) -> bool:
        if self.owner:
            return isinstance(node, cst.Attribute) and node.attr.value == self.name
        return isinstance(node, cst.Name) and node.value == self.name

    def _add(
        self,
        kind: Literal["assign", "put", "keep", "merge", "loose"],
        value: cst.BaseExpression | None = None,
        key: str = "",
    ) -> None:
        self.found.append(Effect(kind, key, value, self._functions[-1]))

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        self._functions.append(node)
        return node not in self._others

    def leave_FunctionDef(self, original_node: cst.FunctionDef) -> None:  # noqa: ARG002
        self._functions.pop()

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        lines = [line for line in node.body.body if isinstance(line, cst.SimpleStatementLine)]
        for small in (small for line in lines for small in line.body):
            if isinstance(small, cst.Assign):
                targets = [target.target for target in small.targets]
            else:
                targets = [small.target] if isinstance(small, cst.AnnAssign) else []
            named = any(isinstance(t, cst.Name) and t.value == self.name for t in targets)
            if self.owner and named:  # a field with an annotation is its caller's to give
                self._add("assign", small.value if isinstance(small, cst.Assign) else None)

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            self._store(target.target, node.value, alone=len(node.targets) == 1)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value is None:
            self._fine.add(node.target)
        else:
            self._store(node.target, node.value, alone=True)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        if self._is(node.target) and isinstance(node.operator, cst.BitOrAssign):
            self._fine.add(node.target)
            self._add("merge", node.value)
        else:
            self._store(node.target, None, alone=True)

    def _store(
        self, target: cst.BaseExpression, value: cst.BaseExpression | None, *, alone: bool
    ) -> None:
        if self._is(target):
            self._fine.add(target)
            self._add("assign", value if alone else None)
        elif isinstance(target, cst.Subscript) and self._is(target.value):
            self._fine.add(target.value)
            key = text_of(target.slice[0].slice) if len(target.slice) == 1 else None
            self._add("loose") if key is None else self._add("put", value, key)
        elif isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._store(element.value, None, alone=False)

    def visit_For(self, node: cst.For) -> None:
        self._store(node.target, None, alone=False)

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._store(node.target, None, alone=False)

    def visit_AsName(self, node: cst.AsName) -> None:
        self._store(node.name, None, alone=False)

    def visit_Del(self, node: cst.Del) -> None:
        target = node.target
        if isinstance(target, cst.Subscript) and self._is(target.value):
            self._add("loose")

    def visit_Call(self, node: cst.Call) -> None:
        function = node.func
        if isinstance(function, cst.Attribute) and self._is(function.value):
            self._method(function, node)
        reads = (dotted(function) or "").rpartition(".")[2] in _READERS
        self._fine |= {arg.value for arg in node.args if arg.star == "**" or reads}

    def _method(self, function: cst.Attribute, node: cst.Call) -> None:
        name, args = function.attr.value, node.args
        if name in ("update", "setdefault", *_READS):
            self._fine.add(function.value)
        if name == "update":
            for arg in args:
                if arg.keyword is not None:
                    self._add("put", arg.value, arg.keyword.value)
                else:
                    self._add("merge", arg.value)
        elif name == "setdefault":
            key = text_of(args[0].value) if len(args) == 2 else None
            self._add("loose") if key is None else self._add("keep", args[1].value, key)

    def visit_Subscript(self, node: cst.Subscript) -> None:
        self._fine.add(node.value)

    def visit_StarredDictElement(self, node: cst.StarredDictElement) -> None:
        self._fine.add(node.value)

    def visit_FormattedStringExpression(self, node: cst.FormattedStringExpression) -> None:
        self._fine.add(node.expression)

    def visit_ComparisonTarget(self, node: cst.ComparisonTarget) -> None:
        self._fine.add(node.comparator)

    def visit_Return(self, node: cst.Return) -> None:
        self._hand_on(node.value)

    def visit_DictElement(self, node: cst.DictElement) -> None:
        self._hand_on(node.value)

    def _hand_on(self, node: cst.CSTNode | None) -> None:
        """Kept elsewhere: harmless in a module that takes nothing out of any dict."""
        if node is not None and not self._removes:
            self._fine.add(node)

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        if self._is(node) and node not in self._fine:
            self._add("loose")
        node.value.visit(self)
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def visit_Name(self, node: cst.Name) -> None:
        if self._is(node) and node not in self._fine:
            self._add("loose")


def text_of(node: cst.CSTNode) -> str | None:
    """The text of a string literal, also one in `[…]`."""
    node = node.value if isinstance(node, cst.Index) else node
    value = node.evaluated_value if isinstance(node, cst.SimpleString) else None
    return value if isinstance(value, str) else None
