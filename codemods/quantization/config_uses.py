"""Whether a quantization config is still what its call says when a load takes it."""

from __future__ import annotations

import libcst as cst

from codemods.facts.held_objects import refuse_changed_elsewhere
from codemods.plan.sites import CannotRewrite
from codemods.script.looking import Looking
from codemods.script.script import Script
from lint_rules._flow.values.syntax import dotted

# Calls that only show what they are given.
_TELLS = frozenset("print str repr len type isinstance id info debug warning error log".split())  # noqa: SIM905


def refuse_changed(script: Script, name: str, scope: cst.FunctionDef | None) -> None:
    """Raise if something may change the config that a name holds, after it was made.

    Raises:
        CannotRewrite: An attribute is set, another name gets it, or a function that is not a load; or another file
            may do so.
    """
    refuse_changed_elsewhere(script, name, scope)
    visitor = _Changes(name)
    (script.module if scope is None else scope).visit(visitor)
    if visitor.found:
        row = script.line_of(visitor.found[0])
        raise CannotRewrite(f"line {row} may change the quantization config after it was made")


class _Changes(Looking):
    """The statements and calls that may change what a name holds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.found: list[cst.CSTNode] = []

    def visit_Assign(self, node: cst.Assign) -> None:
        if self._is(node.value) or any(self._inside(target.target) for target in node.targets):
            self.found.append(node)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self.found += [node] if self._inside(node.target) else []

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if self._inside(node.target) or (node.value is not None and self._is(node.value)):
            self.found.append(node)

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:
        self.found += [node] if self._is(node.value) else []

    def visit_Call(self, node: cst.Call) -> None:
        last = (dotted(node.func) or "").rpartition(".")[2]
        function = node.func
        if isinstance(function, cst.Attribute) and self._inside(function):
            self.found += [] if last.startswith("to_") else [node]
        elif last != "from_pretrained" and last not in _TELLS:
            given = [arg for arg in node.args if self._is(arg.value)]
            named = [arg.keyword.value if arg.keyword is not None else "" for arg in given]
            if any(keyword != "quantization_config" for keyword in named):
                self.found.append(node)

    def _is(self, node: cst.BaseExpression) -> bool:
        return isinstance(node, cst.Name) and node.value == self.name

    def _inside(self, node: cst.CSTNode) -> bool:
        """Whether an attribute or an item of what the name holds is meant."""
        while isinstance(node, (cst.Attribute, cst.Subscript)):
            node = node.value
            if isinstance(node, cst.Name) and node.value == self.name:
                return True
        return False
