"""The variable of generated ids becomes one of text: its new name, and whether its other uses bear it."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from codemods._edits import Edit
from codemods._purity import assigned_name
from codemods._script import Script
from codemods._sites import CannotRewrite
from lint_rules._flow.events import Generate
from lint_rules._flow.syntax import dotted
from lint_rules._positions import Span


def new_name(script: Script, name: str, *, single: bool) -> str:
    """What the variable of ids is called as a variable of text: `text`, `texts`; as before if taken."""
    wanted = "text" if single else "texts"
    others = {
        assigned_name(call.place.line)
        for call in script.flow.events(Generate)
        if call.place.line is not None
    }
    if len(others) > 1:
        wanted = f"{name}_{wanted}"
    for candidate in (wanted, f"generated_{wanted}"):
        if not script.is_taken(candidate):
            return candidate
    return name


def renames(
    script: Script,
    name: str,
    text: str,
    function: cst.FunctionDef | None,
    consumed: Sequence[Span],
) -> list[Edit]:
    """The remaining uses of the variable that a text answers as well: `is None`, `len`, `del`.

    Raises:
        CannotRewrite: Any other use.
    """
    allowed = _harmless_uses(script, name, function)
    edits: list[Edit] = []
    for use in script.uses(name, function):
        if any(span.start <= use.offset < span.end for span in consumed):
            continue
        if use.offset not in allowed:
            raise CannotRewrite("what generate returns is used for more than its text")
        if text != name:
            edits.append(Edit(use.offset, use.offset + len(name.encode()), text))
    return edits


def _harmless_uses(script: Script, name: str, function: cst.FunctionDef | None) -> set[int]:
    visitor = _Harmless(name)
    (script.module if function is None else function).visit(visitor)
    return {script.span(node).start for node in visitor.found}


class _Harmless(cst.CSTVisitor):
    def __init__(self, name: str) -> None:
        self.name = name
        self.found: list[cst.CSTNode] = []

    def visit_Assign(self, node: cst.Assign) -> None:
        value = node.value
        called = dotted(value.func) if isinstance(value, cst.Call) else None
        generates = called is not None and called.endswith(".generate")
        if generates or (isinstance(value, cst.Name) and value.value == "None"):
            self._keep(*(target.target for target in node.targets))

    def visit_Comparison(self, node: cst.Comparison) -> None:
        last = node.comparisons[-1].comparator
        if isinstance(last, cst.Name) and last.value == "None":
            self._keep(node.left)

    def visit_Del(self, node: cst.Del) -> None:
        targets = node.target.elements if isinstance(node.target, cst.Tuple) else ()
        self._keep(node.target, *(element.value for element in targets))

    def _keep(self, *nodes: cst.CSTNode) -> None:
        self.found += [
            node for node in nodes if isinstance(node, cst.Name) and node.value == self.name
        ]
