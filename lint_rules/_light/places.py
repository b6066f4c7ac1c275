"""Where the nodes of a light tree stand, noted while it is made."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cleanguard.catalogue.findings import Position
from lint_rules._light import tree as cst
from lint_rules._light.expressions import BY_TYPE
from lint_rules._light.nodes import FIELDS
from lint_rules._light.rows import Rows
from lint_rules._light.statements import SIMPLE, grouped, light_module, light_statement

_Makers = dict[type[ast.AST], Callable[[Any], Any]]


class Places:
    """The places of expressions and simple statements of a light tree.

    Args:
        module: The light tree.
        wanted: The nodes whose places are asked for, each with the statement that holds it, if that is known.
        tree: The interpreter's tree of the same text.
        text: That text.
    """

    def __init__(
        self,
        module: cst.Module,
        wanted: Sequence[tuple[cst.CSTNode, cst.CSTNode | None]],
        tree: ast.Module,
        text: str,
    ) -> None:
        # By identity; the nodes are kept with their places so that no other can take theirs.
        self._noted: dict[int, tuple[cst.CSTNode, Any]] = {}
        self._rows = Rows(text)
        self._twins: dict[int, cst.CSTNode] = {}
        nodes = {id(node) for node, _ in wanted}
        # Noted of second trees of the same shape: most trees never need places, and few statements of
        # those that do.
        with self._noting(BY_TYPE), self._noting(SIMPLE):
            holders = {id(holder) for _, holder in wanted if holder is not None}
            for statement, group in _statements_of(module, tree, holders):
                self._twins |= _twins(statement, light_statement(group), nodes)
            if len(self._twins) < len(nodes):
                self._twins = _twins(module, light_module(tree), nodes)

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


def _statements_of(
    module: cst.Module, tree: ast.Module, wanted: set[int]
) -> Iterator[tuple[cst.CSTNode, list[ast.stmt]]]:
    """The wanted statements of a light tree, each with what it was made of."""
    waiting: list[tuple[Any, list[ast.stmt]]] = [(module.body, tree.body)]
    while waiting:
        statements, nodes = waiting.pop()
        for statement, group in zip(statements, grouped(nodes), strict=True):
            if id(statement) in wanted:
                yield statement, group
            if not isinstance(statement, cst.SimpleStatementLine):
                waiting.extend(_suites(statement, group[0]))


def _suites(statement: Any, node: Any) -> Iterator[tuple[Any, list[ast.stmt]]]:
    """The blocks of a compound statement, each with what it was made of."""
    for case, inner in zip(
        getattr(statement, "cases", ()), getattr(node, "cases", ()), strict=True
    ):
        yield case.body.body, inner.body
    if isinstance(statement, cst.Match):
        return
    yield statement.body.body, node.body
    for handler, inner in zip(
        getattr(statement, "handlers", ()), getattr(node, "handlers", ()), strict=True
    ):
        yield handler.body.body, inner.body
    other = getattr(statement, "orelse", None)
    if isinstance(other, cst.If):
        yield from _suites(other, node.orelse[0])
    elif other is not None:
        yield other.body.body, node.orelse
    if getattr(statement, "finalbody", None) is not None:
        yield statement.finalbody.body.body, node.finalbody


def _twins(one: cst.CSTNode, other: cst.CSTNode, wanted: set[int]) -> dict[int, cst.CSTNode]:
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
