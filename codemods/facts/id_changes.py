"""What a script does that may change ids where they lie: assignments to parts, and methods that set."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from codemods.script.looking import Looking

_ENTRIES = ("input_ids", "inputs", "attention_mask")
# Methods that set what they are called on, besides those that end in a line.
_SETS = ("update", "clear", "__setitem__", "resize_")


class Assigned(Looking):
    """The lines `NAME = …`."""

    def __init__(self) -> None:
        self.found: list[tuple[str, cst.BaseExpression]] = []

    def visit_Assign(self, node: cst.Assign) -> None:
        """`x = …`."""
        for one in node.targets:
            if isinstance(one.target, cst.Name):
                self.found.append((one.target.value, node.value))


class Stores(Looking):
    """What is set in what a name holds, by the name."""

    @dataclass(frozen=True, slots=True)
    class Store:
        """`NAME["KEY"] = VALUE`; key or value are None where it is anything else that is set."""

        target: cst.BaseExpression
        key: str | None
        value: cst.BaseExpression | None

    def __init__(self) -> None:
        self.found: dict[str, list[Stores.Store]] = {}

    def visit_Assign(self, node: cst.Assign) -> None:
        """`x = …`."""
        for one in node.targets:
            self._tell(one.target, node.value)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        """`x[0] += 1`."""
        self._tell(node.target, None)

    def visit_Expr(self, node: cst.Expr) -> None:
        """`x.fill_(0)`."""
        call = node.value
        if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute):
            method = call.func.attr.value
            if method in _SETS or (method.endswith("_") and not method.endswith("__")):
                self._put(call.func.value, Stores.Store(call, None, None))

    def _tell(self, target: cst.BaseExpression, value: cst.BaseExpression | None) -> None:
        if isinstance(target, cst.Attribute):
            name = target.attr.value
            if name in _ENTRIES:
                self._put(target.value, Stores.Store(target, name, value))
            elif name == "data":
                self._put(target.value, Stores.Store(target, None, None))
        elif isinstance(target, cst.Subscript):
            index = target.slice[0].slice if len(target.slice) == 1 else None
            text = index.value if isinstance(index, cst.Index) else None
            key = text.evaluated_value if isinstance(text, cst.SimpleString) else None
            named = isinstance(target.value, cst.Name) and isinstance(key, str)
            self._put(target.value, Stores.Store(target, str(key) if named else None, value))

    def _put(self, base: cst.BaseExpression, store: Stores.Store) -> None:
        while isinstance(base, (cst.Subscript, cst.Attribute)):
            base = base.value
        if isinstance(base, cst.Name):
            self.found.setdefault(base.value, []).append(store)
