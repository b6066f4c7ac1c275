"""Which expressions only read, and which statements may change what an expression reads."""

from __future__ import annotations

import libcst as cst

from codemods.script.looking import Looking
from codemods.script.script import Script

# Calls that give the same answer again and change nothing.
_PURE_FUNCTIONS = frozenset(
    "len list tuple zip str int float bool range repr min max sum isinstance hasattr is_deepspeed_zero3_enabled".split()  # noqa: SIM905
)
_PURE_METHODS = frozenset(
    "to cuda cpu size items tolist unsqueeze format join strip lstrip rstrip replace lower upper get".split()  # noqa: SIM905
)
# Calls that print or log what they are given.
_SPEAKS = frozenset(["print", "len", "str", "repr", "info", "debug", "warning", "error", "log"])


def is_pure(node: cst.CSTNode) -> bool:
    """Whether an expression only reads, so that it may be evaluated later, twice or not at all."""
    visitor = _Effects()
    node.visit(visitor)
    return visitor.pure


def assigned_name(statement: cst.CSTNode) -> str | None:
    """The name of a line that is just `name = expression`, None for any other."""
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return None
    only = statement.body[0]
    if not isinstance(only, cst.Assign) or len(only.targets) != 1:
        return None
    target = only.targets[0].target
    return target.value if isinstance(target, cst.Name) else None


def is_pure_assignment(statement: cst.CSTNode) -> bool:
    """Whether a line is `name = expression` and only reads: slices, lengths, moves to a device."""
    if assigned_name(statement) is None:
        return False
    assert isinstance(statement, cst.SimpleStatementLine)
    only = statement.body[0]
    return isinstance(only, cst.Assign) and is_pure(only.value)


def may_change(script: Script, statement: cst.CSTNode, names: set[str]) -> bool:
    """Whether running a statement may change what an expression over these names gives."""
    if names & script.stored_in(script.span(statement)):
        return True
    visitor = _Touches(names, anywhere=bool(names & script.shared_names))
    statement.visit(visitor)
    return visitor.touched


class _Effects(Looking):
    def __init__(self) -> None:
        self.pure = True

    def visit_Call(self, node: cst.Call) -> None:
        function = node.func
        if isinstance(function, cst.Attribute):
            known = function.attr.value in _PURE_METHODS
        else:
            known = isinstance(function, cst.Name) and function.value in _PURE_FUNCTIONS
        self.pure = self.pure and known

    def visit_Await(self, node: cst.Await) -> None:  # noqa: ARG002
        self.pure = False

    def visit_Yield(self, node: cst.Yield) -> None:  # noqa: ARG002
        self.pure = False

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:  # noqa: ARG002
        self.pure = False


class _Touches(Looking):
    """Looks for stores into the named objects and for calls that they are given to.

    Where a function assigns one of the names by `global`, any call may (`anywhere`).
    """

    def __init__(self, names: set[str], *, anywhere: bool) -> None:
        self.names = names
        self.anywhere = anywhere
        self.touched = False

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        self._store(node.target)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._store(node.target)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._store(node.target)

    def visit_Del(self, node: cst.Del) -> None:
        self._store(node.target)

    def visit_Call(self, node: cst.Call) -> None:
        function = node.func
        name = function.attr.value if isinstance(function, cst.Attribute) else None
        name = function.value if isinstance(function, cst.Name) else name
        if name in _SPEAKS or is_pure(node):
            return
        roots = _roots(node)
        self.touched = self.touched or self.anywhere or bool(roots & self.names)

    def _store(self, target: cst.CSTNode) -> None:
        self.touched = self.touched or bool(_roots(target) & self.names)


def _roots(node: cst.CSTNode) -> set[str]:
    visitor = _Names()
    node.visit(visitor)
    return visitor.found


class _Names(Looking):
    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        node.value.visit(self)
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def visit_Name(self, node: cst.Name) -> None:
        self.found.add(node.value)
