"""Where the nodes of a light tree stand, noted while it is made."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import libcst as cst

from cleanguard.catalogue.findings import Position
from lint_rules._light.expressions import BY_TYPE
from lint_rules._light.nodes import FIELDS
from lint_rules._light.rows import Rows
from lint_rules._light.statements import SIMPLE, light_module

_Makers = dict[type[ast.AST], Callable[[Any], Any]]


class Places:
    """The places of expressions and simple statements of a light tree.

    Args:
        module: The light tree.
        wanted: The nodes whose places are asked for.
        tree: The interpreter's tree of the same text.
        text: That text.
    """

    def __init__(
        self, module: cst.Module, wanted: Sequence[cst.CSTNode], tree: ast.Module, text: str
    ) -> None:
        # By identity; the nodes are kept with their places so that no other can take theirs.
        self._noted: dict[int, tuple[cst.CSTNode, Any]] = {}
        self._rows = Rows(text)
        with self._noting(BY_TYPE), self._noting(SIMPLE):
            other = light_module(tree)
        # Noted of a second tree of the same shape: most trees never need places.
        self._twins = _twins(module, other, {id(node) for node in wanted})

    def start(self, node: cst.CSTNode) -> Position:
        """Position of a node's first character.

        Raises:
            KeyError: Its place is not known.
        """
        place = self._place(node)
        return self._rows.in_row(place.lineno, place.col_offset)

    def end(self, node: cst.CSTNode) -> Position:
        """Position after a node's last character.

        Raises:
            KeyError: Its place is not known.
        """
        place = self._place(node)
        return self._rows.in_row(place.end_lineno, place.end_col_offset)

    def _place(self, node: cst.CSTNode) -> Any:
        return self._noted[id(self._twins[id(node)])][1]

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


def _twins(one: cst.Module, other: cst.Module, wanted: set[int]) -> dict[int, cst.CSTNode]:
    """The nodes of another tree of the same shape that stand where the wanted ones do, by identity."""
    found: dict[int, cst.CSTNode] = {}
    waiting: list[tuple[Any, Any]] = [(one, other)]
    while waiting and len(found) < len(wanted):
        node, twin = waiting.pop()
        if isinstance(node, (list, tuple)):
            waiting.extend(zip(node, twin, strict=True))
            continue
        if id(node) in wanted:
            found[id(node)] = twin
        for field in FIELDS.get(type(node), ()):
            waiting.append((getattr(node, field), getattr(twin, field)))
    return found
