"""Where the nodes of a light tree stand, noted while it is made."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import libcst as cst

from cleanguard.findings import Position
from lint_rules._light.expressions import BY_TYPE
from lint_rules._light.statements import SIMPLE, light_module
from lint_rules._rows import Rows

_Makers = dict[type[ast.AST], Callable[[Any], Any]]


class Places:
    """A light tree, and the places of its expressions and simple statements.

    Args:
        tree: The interpreter's tree.
        text: The text that it was made of.
    """

    def __init__(self, tree: ast.Module, text: str) -> None:
        # By identity; the nodes are kept with their places so that no other can take theirs.
        self._noted: dict[int, tuple[cst.CSTNode, Any]] = {}
        self._rows = Rows(text)
        with self._noting(BY_TYPE), self._noting(SIMPLE):
            self.module = light_module(tree)

    def start(self, node: cst.CSTNode) -> Position:
        """Position of a node's first character.

        Raises:
            KeyError: Its place is not known.
        """
        _, place = self._noted[id(node)]
        return self._rows.in_row(place.lineno, place.col_offset)

    def end(self, node: cst.CSTNode) -> Position:
        """Position after a node's last character.

        Raises:
            KeyError: Its place is not known.
        """
        _, place = self._noted[id(node)]
        return self._rows.in_row(place.end_lineno, place.end_col_offset)

    @contextmanager
    def _noting(self, makers: _Makers) -> Iterator[None]:
        """Notes what the functions of a table make."""
        plain = dict(makers)
        makers.update({kind: self._noted_by(make) for kind, make in plain.items()})
        try:
            yield
        finally:
            makers.update(plain)

    def _noted_by(self, make: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def noting(node: Any) -> Any:
            before = len(self._noted)
            made = make(node)
            if type(node) is ast.JoinedStr:  # Python 3.11 misplaces what stands in it
                for inner in list(self._noted)[before:]:
                    del self._noted[inner]
            self._noted[id(made)] = (made, node)
            return made

        return noting
