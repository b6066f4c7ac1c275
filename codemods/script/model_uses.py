"""Calls of a script by their name, and which of them what is loaded may reach."""

from __future__ import annotations

import libcst as cst

from codemods.script.looking import Looking
from codemods.script.script import Script
from lint_rules._flow.values.events import ModelLoad, TokenizerLoad
from lint_rules._questions.reach import Reach


def reaches(script: Script, load: ModelLoad | TokenizerLoad, node: cst.CSTNode) -> bool:
    """Whether what a load gives may be what an expression names."""
    found = script.reach(
        f"load {script.span(load.node).start}",
        lambda module: Reach(
            module, lambda n: n is load.node, ways=script.ways(module), seeds=[load.node]
        ),
    )
    return found.touches(node)


class Calls(Looking):
    """The calls of methods of one name; of anything for None."""

    def __init__(self, name: str | None = "generate") -> None:
        self.name = name
        self.found: list[cst.Call] = []
        self.defines = False

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        """Notes a definition of the name."""
        self.defines = self.defines or node.name.value == self.name

    def visit_Call(self, node: cst.Call) -> None:
        """Collects a call."""
        function = node.func
        named = isinstance(function, cst.Attribute) and function.attr.value == self.name
        if named or self.name is None:
            self.found.append(node)
