"""Imports after the other edits: names that nothing uses any more leave, CleanModelLoader arrives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from codemods._edits import Edit
from codemods._script import Script
from lint_rules._flow.syntax import dotted

IMPORT = "from guard import CleanModelLoader"
_OURS = ("transformers", "peft", "torch", "bitsandbytes", "unsloth")
_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class _Import:
    """One import statement with the local names that it binds."""

    line: cst.SimpleStatementLine
    node: cst.Import | cst.ImportFrom
    names: tuple[str, ...]
    alone: bool


def rewrite(script: Script, edits: Sequence[Edit]) -> list[Edit]:
    """The import edits that go with the given edits; none if they use no CleanModelLoader."""
    if not any("CleanModelLoader" in edit.text for edit in edits):
        return []
    arrives = any(IMPORT in edit.text for edit in edits)
    words = {word for edit in edits for word in _WORD.findall(edit.text)}
    found = [item for item in _imports(script.module) if _is_ours(item.node)]
    result: list[Edit] = []
    place: cst.SimpleStatementLine | None = None
    top = set(map(id, script.module.body))
    for item in found:
        unused = {name for name in item.names if _became_unused(script, name, words, edits)}
        if not unused:
            continue
        lines = _kept(script, item, unused)
        if place is None and id(item.line) in top and not arrives and not _has_guard_import(script):
            lines = [*lines, IMPORT]
            place = item.line
        if lines or item.alone:
            result.append(script.replace(item.line, lines or ["pass"]))
        else:
            result.append(script.delete(item.line))
    if place is None and not arrives and not _has_guard_import(script):
        result.append(_insertion(script))
    return result


def _imports(module: cst.Module) -> Iterator[_Import]:
    visitor = _Imports()
    module.visit(visitor)
    yield from visitor.found


class _Imports(cst.CSTVisitor):
    def __init__(self) -> None:
        self.found: list[_Import] = []
        self._sizes: list[int] = []

    def visit_Module(self, node: cst.Module) -> None:
        self._sizes.append(len(node.body))

    def visit_IndentedBlock(self, node: cst.IndentedBlock) -> None:
        self._sizes.append(len(node.body))

    def leave_IndentedBlock(self, original_node: cst.IndentedBlock) -> None:  # noqa: ARG002
        self._sizes.pop()

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> bool:
        if len(node.body) == 1 and isinstance(node.body[0], (cst.Import, cst.ImportFrom)):
            statement = node.body[0]
            if not isinstance(statement.names, cst.ImportStar):
                names = tuple(_local_name(alias, statement) for alias in statement.names)
                self.found.append(_Import(node, statement, names, self._sizes[-1] == 1))
        return False


def _local_name(alias: cst.ImportAlias, statement: cst.Import | cst.ImportFrom) -> str:
    if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
        return alias.asname.name.value
    name = dotted(alias.name) or ""
    return name if isinstance(statement, cst.ImportFrom) else name.partition(".")[0]


def _is_ours(node: cst.Import | cst.ImportFrom) -> bool:
    if isinstance(node, cst.ImportFrom):
        module = dotted(node.module) if node.module is not None else ""
        return not node.relative and (module or "").partition(".")[0] in _OURS
    return all((dotted(alias.name) or "").partition(".")[0] in _OURS for alias in node.names)


def _became_unused(script: Script, name: str, words: set[str], edits: Sequence[Edit]) -> bool:
    """Whether every use of a name lies in edited text: it was used before, and is not any more."""
    uses = script.uses(name, None)
    if not uses or name in words:
        return False
    exported = f'"{name}"' in script.source.text or f"'{name}'" in script.source.text
    return not exported and all(any(edit.covers(use.offset) for edit in edits) for use in uses)


def _kept(script: Script, item: _Import, unused: set[str]) -> list[str]:
    assert not isinstance(item.node.names, cst.ImportStar)
    aliases = [
        script.code(alias).rstrip(", \t")
        for alias, name in zip(item.node.names, item.names, strict=True)
        if name not in unused
    ]
    if not aliases:
        return []
    if isinstance(item.node, cst.Import):
        return [f"import {', '.join(aliases)}"]
    module = script.code(item.node.module) if item.node.module is not None else ""
    line = f"from {module} import {', '.join(aliases)}"
    indent = script.indent_of(item.line)
    if len(indent) + len(line) <= 100:
        return [line]
    unit = script.indent_unit
    return [f"from {module} import (", *(f"{unit}{alias}," for alias in aliases), ")"]


def _has_guard_import(script: Script) -> bool:
    return any(
        isinstance(item.node, cst.ImportFrom)
        and item.node.module is not None
        and dotted(item.node.module) == "guard"
        and "CleanModelLoader" in item.names
        for item in _imports(script.module)
    )


def _insertion(script: Script) -> Edit:
    """After the last import at the top of the module, else after its docstring and `__future__`."""
    last: cst.SimpleStatementLine | None = None
    for index, statement in enumerate(script.module.body):
        if not isinstance(statement, cst.SimpleStatementLine):
            break
        first = statement.body[0] if statement.body else None
        is_text = isinstance(first, cst.Expr) and isinstance(
            first.value, (cst.SimpleString, cst.ConcatenatedString)
        )
        if not isinstance(first, (cst.Import, cst.ImportFrom)) and not (index == 0 and is_text):
            break
        last = statement
    if last is None:
        return Edit(0, 0, f"{IMPORT}{script.newline}")
    end = script.lines_of(last).end
    return Edit(end, end, f"{IMPORT}{script.newline}")
