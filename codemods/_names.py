"""Walks over the names, lines and blocks of a module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from lint_rules._positions import Positions


@dataclass(frozen=True, slots=True)
class NameUse:
    """One occurrence of a name in code, not as a keyword or attribute."""

    name: str
    offset: int
    stores: bool


class Lines(cst.CSTVisitor):
    """The simple statement lines."""

    def __init__(self) -> None:
        self.found: list[cst.SimpleStatementLine] = []

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> bool:
        self.found.append(node)
        return False


class Values(cst.CSTVisitor):
    """What is assigned to one name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.found: list[cst.BaseExpression] = []

    def visit_Assign(self, node: cst.Assign) -> None:
        if len(node.targets) == 1:
            self._keep(node.targets[0].target, node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value is not None:
            self._keep(node.target, node.value)

    def _keep(self, target: cst.BaseExpression, value: cst.BaseExpression) -> None:
        if isinstance(target, cst.Name) and target.value == self.name:
            self.found.append(value)


class Blocks(cst.CSTVisitor):
    """The statements of each indented block."""

    def __init__(self) -> None:
        self.found: list[tuple[cst.BaseStatement, ...]] = []

    def visit_IndentedBlock(self, node: cst.IndentedBlock) -> None:
        self.found.append(tuple(item for item in node.body if isinstance(item, cst.BaseStatement)))


class Shared(cst.CSTVisitor):
    """The names that functions declare `global` or `nonlocal`."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_NameItem(self, node: cst.NameItem) -> None:
        self.found.add(node.name.value)


class Elses(cst.CSTVisitor):
    """The `else` clauses with a body of whole lines, by the first statement of the body."""

    def __init__(self) -> None:
        self.found: dict[cst.CSTNode, cst.Else] = {}

    def visit_Else(self, node: cst.Else) -> None:
        if isinstance(node.body, cst.IndentedBlock) and node.body.body:
            self.found[node.body.body[0]] = node


class _Names(cst.CSTVisitor):
    def __init__(self, positions: Positions) -> None:
        self.positions = positions
        self.found: list[NameUse] = []
        self._stores: set[cst.CSTNode] = set()

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        node.value.visit(self)
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:  # noqa: ARG002
        return False

    def visit_Import(self, node: cst.Import) -> bool:  # noqa: ARG002
        return False

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        self._mark(node.target)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._mark(node.target)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._mark(node.target)

    def visit_For(self, node: cst.For) -> None:
        self._mark(node.target)

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._mark(node.target)

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:
        self._mark(node.target)

    def visit_Param(self, node: cst.Param) -> None:
        self._mark(node.name)

    def visit_AsName(self, node: cst.AsName) -> None:
        self._mark(node.name)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self._mark(node.name)

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self._mark(node.name)

    def visit_Name(self, node: cst.Name) -> None:
        offset = self.positions.span(node).start
        self.found.append(NameUse(node.value, offset, node in self._stores))

    def _mark(self, target: cst.CSTNode) -> None:
        if isinstance(target, cst.Name):
            self._stores.add(target)
        elif isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._mark(element.value)


def name_uses(module: cst.Module, positions: Positions) -> Iterator[NameUse]:
    """Every name that code reads or assigns, in order."""
    visitor = _Names(positions)
    module.visit(visitor)
    yield from visitor.found
