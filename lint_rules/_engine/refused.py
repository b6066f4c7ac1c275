"""Where a file stands that the interpreter takes and libcst refuses without saying where."""

from __future__ import annotations

import ast
import textwrap
import warnings
from collections.abc import Iterator, Sequence

import libcst as cst

from cleanguard.catalogue.findings import Position


def place_of_refused(text: str) -> Position:
    """The innermost statement that libcst refuses by itself; the file's beginning where none is found."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in other people's files
        statements = ast.parse(text).body
    lines = text.splitlines(keepends=True)
    found = None
    while (refused := _first_refused(statements, lines)) is not None:
        found = refused
        statements = list(_inner(refused))
    return Position(1, 1) if found is None else Position(found.lineno, found.col_offset + 1)


def _first_refused(statements: Sequence[ast.stmt], lines: Sequence[str]) -> ast.stmt | None:
    return next((one for one in statements if _is_refused(one, lines)), None)


def _is_refused(statement: ast.stmt, lines: Sequence[str]) -> bool:
    """Whether a statement alone is refused; a part of one, as `elif` is, cannot be asked."""
    text = textwrap.dedent("".join(lines[statement.lineno - 1 : statement.end_lineno]))
    try:
        cst.parse_module(text)
    except cst.ParserSyntaxError:
        return any(_is_refused(one, lines) for one in _inner(statement))
    except Exception:  # noqa: BLE001 - of any class, as the refusal of the file was
        return True
    return False


def _inner(statement: ast.AST) -> Iterator[ast.stmt]:
    """The statements in the blocks of one, in their order."""
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.stmt):
            yield child
        elif isinstance(child, (ast.ExceptHandler, ast.match_case)):
            yield from child.body
