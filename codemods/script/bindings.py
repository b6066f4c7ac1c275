"""What the names and attributes of a script are bound to, as written."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import libcst as cst

from codemods.script.definitions import module_of
from codemods.script.looking import Looking
from codemods.script.script import Script
from lint_rules._flow.values.syntax import dotted

_Value = cst.BaseExpression | cst.ClassDef | None


@dataclass(frozen=True, slots=True)
class Bound:
    """One thing that a name or an attribute may be.

    Attributes:
        value: What is assigned, or the class that is defined; None for what cannot be seen.
        function: Where the value is written.
        symbol: For an import: the dotted name of what is imported.
        part: Which member of the value it is, where the value is unpacked.
    """

    value: _Value = None
    function: cst.FunctionDef | None = None
    symbol: str | None = None
    part: int | None = None


class Bindings(Looking):
    """Collects them; whatever order or condition they come in.

    Attributes:
        attributes: By attribute, of whatever object, and by the names of class bodies.
        has_star: Whether something imports `*`.
    """

    def __init__(self, script: Script) -> None:
        self.attributes: dict[str, list[Bound]] = defaultdict(list)
        self.has_star = False
        self._script = script
        self._names: dict[tuple[cst.FunctionDef | None, str], list[Bound]] = defaultdict(list)
        self._around: dict[cst.FunctionDef, cst.FunctionDef | None] = {}
        self._inside: list[cst.FunctionDef | cst.ClassDef] = []
        script.module.visit(self)

    def named(self, name: str, function: cst.FunctionDef | None) -> list[Bound]:
        """What a name may be where a function, or the module, reads it."""
        while function is not None:
            if (function, name) in self._names:
                return self._names[function, name]
            function = self._around[function]
        return self._names.get((None, name), [])

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self._around[node] = self._function()
        self._put(node.name, None)
        self._inside.append(node)

    def leave_FunctionDef(self, original_node: cst.FunctionDef) -> None:  # noqa: ARG002
        self._inside.pop()

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self._put(node.name, node)
        self._inside.append(node)

    def leave_ClassDef(self, original_node: cst.ClassDef) -> None:  # noqa: ARG002
        self._inside.pop()

    def visit_Import(self, node: cst.Import) -> bool:
        for alias in node.names:
            name = dotted(alias.name) or ""
            root = name.partition(".")[0]
            self._import(alias, root, root if alias.asname is None else name)
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        if isinstance(node.names, cst.ImportStar):
            self.has_star = True
            return False
        module = module_of(node)
        for alias in node.names:
            name = dotted(alias.name) or ""
            self._import(alias, name, f"{module}.{name}")
        return False

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            self._put(target.target, node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value is not None:
            self._put(node.target, node.value)

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:
        self._put(node.target, node.value)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._put(node.target, None)

    def visit_For(self, node: cst.For) -> None:
        self._put(node.target, None)

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._put(node.target, None)

    def visit_AsName(self, node: cst.AsName) -> None:
        self._put(node.name, None)

    def visit_MatchAs(self, node: cst.MatchAs) -> None:
        if node.name is not None:
            self._put(node.name, None)

    def visit_Param(self, node: cst.Param) -> None:
        self._put(node.name, None)

    def _import(self, alias: cst.ImportAlias, name: str, symbol: str) -> None:
        renamed = None if alias.asname is None else alias.asname.name
        local = renamed.value if isinstance(renamed, cst.Name) else name
        # a function's import is its own whatever the names that it stores
        self._names[self._function(), local].append(Bound(symbol=symbol))

    def _put(self, target: cst.CSTNode, value: _Value, part: int | None = None) -> None:
        if isinstance(target, (cst.Tuple, cst.List)):
            starred = any(isinstance(one, cst.StarredElement) for one in target.elements)
            given = None if starred or part is not None else value
            for index, element in enumerate(target.elements):
                self._put(element.value, given, index)
        bound = Bound(value, self._function(), part=part)
        if isinstance(target, cst.Attribute):
            self.attributes[target.attr.value].append(bound)
        elif isinstance(target, cst.Name) and self._in_class_body():
            self.attributes[target.value].append(bound)
        elif isinstance(target, cst.Name):
            home = self._script.home_of(target.value, bound.function)
            self._names[home, target.value].append(bound)

    def _in_class_body(self) -> bool:
        return bool(self._inside) and isinstance(self._inside[-1], cst.ClassDef)

    def _function(self) -> cst.FunctionDef | None:
        around = (node for node in reversed(self._inside) if isinstance(node, cst.FunctionDef))
        return next(around, None)
