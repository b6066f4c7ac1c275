"""Where a notebook's cell ends before its last line: `sys.exit()`, `raise` and their like end no other cell."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

_EXITS = frozenset({"sys.exit", "os._exit", "exit", "quit"})


@dataclass(frozen=True, slots=True)
class CellEnd:
    """The end of a cell.

    Attributes:
        statements: Those that end it, one in each branch.
        row: The first row behind them that is never reached.
    """

    statements: tuple[ast.stmt, ...]
    row: int


def end_of(tree: ast.Module) -> CellEnd | None:
    """Where a cell ends; None for one that its last statement ends."""
    for statement in tree.body:
        found = _ending(statement)
        if found:
            return CellEnd(tuple(found), (statement.end_lineno or statement.lineno) + 1)
    return None


def _ending(node: ast.stmt) -> list[ast.stmt]:
    """The statements behind which nothing goes on; none where something may."""
    if isinstance(node, (ast.Raise, ast.Return)):
        return [node]
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return [node] if ast.unparse(node.value.func) in _EXITS else []
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return _in_block(node.body)
    branches: list[Sequence[ast.stmt]] = []
    if isinstance(node, ast.If):
        branches = [node.body, node.orelse]
    elif isinstance(node, ast.Try):
        if node.finalbody and (found := _in_block(node.finalbody)):
            return found
        branches = [node.orelse or node.body, *(handler.body for handler in node.handlers)]
    ends = [_in_block(branch) for branch in branches]
    return [one for found in ends for one in found] if all(ends) else []


def _in_block(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    return next((found for node in body if (found := _ending(node))), [])
