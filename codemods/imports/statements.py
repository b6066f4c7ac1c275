"""The import statements of a module, and which of them are of the libraries that the loader stands for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from codemods.script.looking import Looking
from codemods.script.walks import leaves
from lint_rules._flow.values.syntax import dotted

IMPORT = "from guard import CleanModelLoader"
LIBRARIES = ("transformers", "peft", "torch", "bitsandbytes", "unsloth")


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement.

    Attributes:
        line: Its line.
        node: The statement.
        names: The local names that it binds.
        alone: Its block holds nothing else.
        asks: It is there to see whether it works: the body of a `try` that catches ImportError.
        block: The block that it stands in; None at the top of the module. Around a `try` in a function whose
            handlers all leave, for what follows runs only after it.
        function: The function that it stands in.
    """

    line: cst.SimpleStatementLine
    node: cst.Import | cst.ImportFrom
    names: tuple[str, ...]
    alone: bool
    asks: bool
    block: cst.IndentedBlock | None
    function: cst.FunctionDef | None


def imports_in(module: cst.Module) -> Iterator[Import]:
    """The import statements that stand alone on their lines, without those of everything."""
    visitor = _Statements()
    module.visit(visitor)
    yield from visitor.found


class _Statements(Looking):
    def __init__(self) -> None:
        self.found: list[Import] = []
        self._blocks: list[cst.IndentedBlock] = []
        self._functions: list[cst.FunctionDef] = []
        self._around: dict[int, cst.IndentedBlock] = {}  # of bodies behind which an import has run
        self._asking: set[int] = set()

    def visit_Try(self, node: cst.Try) -> None:
        caught = {dotted(one.type) for one in node.handlers if one.type is not None}
        if caught & {"ImportError", "ModuleNotFoundError"}:
            self._asking.add(id(node.body))
        if self._functions and node.handlers and all(map(leaves, node.handlers)):
            outer = self._blocks[-1]
            self._around[id(node.body)] = self._around.get(id(outer), outer)

    def visit_IndentedBlock(self, node: cst.IndentedBlock) -> None:
        self._blocks.append(node)

    def leave_IndentedBlock(self, original_node: cst.IndentedBlock) -> None:  # noqa: ARG002
        self._blocks.pop()

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self._functions.append(node)

    def leave_FunctionDef(self, original_node: cst.FunctionDef) -> None:  # noqa: ARG002
        self._functions.pop()

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> bool:
        if len(node.body) == 1 and isinstance(node.body[0], (cst.Import, cst.ImportFrom)):
            statement = node.body[0]
            if not isinstance(statement.names, cst.ImportStar):
                names = tuple(_local_name(alias, statement) for alias in statement.names)
                block = self._blocks[-1] if self._blocks else None
                alone = block is not None and len(block.body) == 1
                asks = alone and id(block) in self._asking
                block = block and self._around.get(id(block), block)
                function = self._functions[-1] if self._functions else None
                self.found.append(Import(node, statement, names, alone, asks, block, function))
        return False


def _local_name(alias: cst.ImportAlias, statement: cst.Import | cst.ImportFrom) -> str:
    if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
        return alias.asname.name.value
    name = dotted(alias.name) or ""
    return name if isinstance(statement, cst.ImportFrom) else name.partition(".")[0]


def is_ours(node: cst.Import | cst.ImportFrom) -> bool:
    """Whether an import is of transformers or of a library that goes with it."""
    if isinstance(node, cst.ImportFrom):
        module = dotted(node.module) if node.module is not None else ""
        return not node.relative and (module or "").partition(".")[0] in LIBRARIES
    return all((dotted(alias.name) or "").partition(".")[0] in LIBRARIES for alias in node.names)
