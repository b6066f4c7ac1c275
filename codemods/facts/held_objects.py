"""What is done to an object that a name holds: what is set on it, and where it is only read."""

from __future__ import annotations

import libcst as cst

from codemods.plan.sites import CannotRewrite
from codemods.script.looking import Looking
from codemods.script.script import Script
from lint_rules._flow.values.syntax import dotted

# Calls that only show what they are given.
_TELLS = frozenset(
    [
        "print",
        "str",
        "repr",
        "len",
        "type",
        "isinstance",
        "getattr",
        "hasattr",
        "info",
        "debug",
        "warning",
        "error",
        "log",
    ]
)

_CHANGES = frozenset(["__dict__", "update", "__setattr__", "__delattr__", "from_pretrained"])


class HeldObject(Looking):
    """What is done to an object by its name.

    Attributes:
        changes: The lines `name.setting = …`.
        given: Where it is only read, or given by the keyword that takes it.
    """

    def __init__(self, name: str, keyword: str) -> None:
        self.name = name
        self.keyword = keyword
        self._fine: set[cst.CSTNode] = set()
        self.changes: list[cst.SimpleStatementLine] = []
        self.given: list[cst.Name] = []

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> None:
        only = node.body[0] if len(node.body) == 1 else None
        if not isinstance(only, cst.Assign) or len(only.targets) != 1:
            return
        target = only.targets[0].target
        if isinstance(target, cst.Attribute) and isinstance(target.value, cst.Name):
            self.changes += [node] if target.value.value == self.name else []

    def visit_Call(self, node: cst.Call) -> None:
        name = dotted(node.func) or ""
        if name.rpartition(".")[2] in _TELLS:
            self._tell(node.args[0].value if node.args else None)
            for arg in node.args[1:]:
                self._tell(arg.value)
        function = node.func
        if isinstance(function, cst.Attribute):
            self._fine.add(function)
            if function.attr.value.startswith("to_"):
                self._tell(function.value)

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        self._store(node.target)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._store(node.target)

    def visit_For(self, node: cst.For) -> None:
        self._store(node.target)

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._store(node.target)

    def visit_AsName(self, node: cst.AsName) -> None:
        self._store(node.name)

    def visit_Del(self, node: cst.Del) -> None:
        self._store(node.target)

    def _store(self, target: cst.CSTNode) -> None:
        """A setting that is stored, in whatever list of targets, is none that is read."""
        self._fine.add(target)
        if isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._store(element.value)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._fine.add(node.target)

    def visit_Attribute(self, node: cst.Attribute) -> None:
        # A setting that is read; a method that is not called at once may change it later.
        if node not in self._fine and node.attr.value not in _CHANGES:
            self._tell(node.value)

    def visit_FormattedStringExpression(self, node: cst.FormattedStringExpression) -> None:
        self._tell(node.expression)

    def _tell(self, node: cst.CSTNode | None) -> None:
        if isinstance(node, cst.Name) and node.value == self.name:
            self.given.append(node)

    def visit_Arg(self, node: cst.Arg) -> None:
        keyword = None if node.keyword is None else node.keyword.value
        named = isinstance(node.value, cst.Name) and node.value.value == self.name
        if keyword == self.keyword and named and isinstance(node.value, cst.Name):
            self.given.append(node.value)


def refuse_changed_elsewhere(script: Script, name: str, scope: cst.FunctionDef | None) -> None:
    """Raise if another file may change the object that a name of the module holds, or bind the name anew.

    Raises:
        CannotRewrite: It takes the name, and does more than give it to a load or a generation, or read it.
    """
    if scope is None and script.others.may_change(script.path, name) is not None:
        raise CannotRewrite(f"another file takes `{name}` from this one, and may change it")
