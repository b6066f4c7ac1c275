r"""Stop strings that can never stop: `"\\n"` in the source is a backslash and an n, no line break.

Such a fault is part of what the old numbers were measured with, so it is kept and pointed out.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from codemods.plan.sites import Note
from codemods.script.looking import Looking
from codemods.script.script import Script
from lint_rules._flow.values.syntax import dotted

_NEVER = ("\\n", "\\t", "\\r")


def stop_string_faults(script: Script) -> Iterator[Note]:
    """One note for each line with such a stop string."""
    visitor = _StopStrings()
    script.module.visit(visitor)
    told: set[int] = set()
    for node in visitor.found:
        value = node.evaluated_value
        row = script.line_of(node)
        if isinstance(value, str) and any(text in value for text in _NEVER) and row not in told:
            told.add(row)
            text = (
                f"line {row}: the stop string {script.code(node)} holds a backslash and a letter, "
                "no line break, so nothing stops at it; kept as it is"
            )
            yield Note("fault", text)


class _StopStrings(Looking):
    """The strings that are assigned to names, or given for keywords, with `stop` in them."""

    def __init__(self) -> None:
        self.found: list[cst.SimpleString] = []

    def visit_Assign(self, node: cst.Assign) -> None:
        if any(_stops(dotted(target.target)) for target in node.targets):
            self._collect(node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value is not None and _stops(dotted(node.target)):
            self._collect(node.value)

    def visit_Arg(self, node: cst.Arg) -> None:
        if node.keyword is not None and _stops(node.keyword.value):
            self._collect(node.value)

    def visit_Param(self, node: cst.Param) -> None:
        if node.default is not None and _stops(node.name.value):
            self._collect(node.default)

    def _collect(self, node: cst.BaseExpression) -> None:
        if isinstance(node, cst.SimpleString):
            self.found.append(node)
        elif isinstance(node, (cst.List, cst.Tuple, cst.Set)):
            for element in node.elements:
                self._collect(element.value)


def _stops(name: str | None) -> bool:
    return name is not None and "stop" in name.rpartition(".")[2].lower()
