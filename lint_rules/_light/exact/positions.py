"""Where the nodes of an exact tree stand."""

from __future__ import annotations

import ast
from typing import Any

import libcst as cst

from lint_rules._light.exact.nodes import AROUND, InexactError
from lint_rules._light.exact.room import Room
from lint_rules._light.exact.statements import Statements
from lint_rules._light.positions import Positions, Span


def exact_module(tree: ast.Module, text: str) -> cst.Module:
    """The exact tree of a file.

    Args:
        tree: The interpreter's tree of it.
        text: The file's text, without a byte order mark.

    Raises:
        InexactError: It holds something that only a full tree shows as it is.
        RecursionError: It nests deeper than the interpreter's stack.
    """
    module: cst.Module = Statements(Room(text)).module(tree)
    return module


class ExactPositions(Positions):
    """Spans and row/column positions of the nodes of an exact tree."""

    def span(self, node: Any) -> Span:
        """The bytes of a node, without the whitespace and comments around it.

        Raises:
            InexactError: Only a full tree tells.
        """
        begin: int = node.begin
        if begin >= 0:
            return Span(begin, node.finish)
        if begin != AROUND:
            raise InexactError(f"the place of {type(node).__name__}")
        inner = node.slice if hasattr(type(node), "slice") else node.value
        found = self.span(inner)
        if type(inner).__name__ in ("Slice", "Index", "StarredElement"):
            return found
        return Span(*node.room.around(found.start, found.end))
