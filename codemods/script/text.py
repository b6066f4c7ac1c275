"""The text of a script under migration: bytes, lines, indentation and comments, and where nodes stand in it."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property

import libcst as cst

from codemods.plan.bare import without_comments
from codemods.plan.sites import CannotRewrite
from lint_rules._engine.checking import parse_full
from lint_rules._light.exact import ExactPositions, InexactError, exact_module
from lint_rules._light.positions import Positions, Span
from lint_rules._run.source import Source

# Lines are no longer than this, or than the script's own up to the larger number.
_WIDTH, _WIDEST = 100, 120

_DIRECTIVE = re.compile(r"#\s*(noqa|type:\s*ignore|pylint:|pragma:|fmt:|isort:|ruff:|yapf:)", re.I)


class ScriptText:
    """What rewrites ask of a script's text.

    Args:
        source: The script as read.
        module: Its tree.
        positions: Where its nodes stand.
        foreign: Lines that only stand for a notebook's magic.
    """

    def __init__(
        self, source: Source, module: cst.Module, positions: Positions, foreign: frozenset[int]
    ) -> None:
        self.source = source
        self.module = module
        self._foreign = foreign
        self.utf8 = source.text.encode("utf-8")
        self._whole = Span(0, len(self.utf8))
        self.positions = positions
        longest = max(map(len, source.text.splitlines()), default=0)
        self.max_width = min(max(longest, _WIDTH), _WIDEST)
        self.newline = module.default_newline
        self.indent_unit = module.default_indent
        self._lines = [0]
        for line in self.utf8.splitlines(keepends=True):
            if line.endswith((b"\n", b"\r")):
                self._lines.append(self._lines[-1] + len(line))
        self._comments: list[tuple[int, str]] = []

    def span(self, node: cst.CSTNode) -> Span:
        """The bytes of a node."""
        return self._whole if node is self.module else self.positions.span(node)

    def code(self, node: cst.CSTNode) -> str:
        """The source text of a node, as written."""
        span = self.span(node)
        return self.utf8[span.start : span.end].decode()

    def argument(self, node: cst.CSTNode) -> str:
        """The source text of an expression, as an argument: in the parentheses that a tuple may stand in."""
        bare = isinstance(node, (cst.Tuple, cst.GeneratorExp, cst.NamedExpr)) and bool(node.lpar)
        return f"({self.code(node)})" if bare else self.code(node)

    def line_of(self, node: cst.CSTNode) -> int:
        """The 1-based line on which a node starts."""
        return self.positions.start(node).row

    def is_foreign(self, node: cst.CSTNode) -> bool:
        """Whether a statement only stands for a notebook's magic."""
        return bool(self._foreign) and self.line_of(node) in self._foreign

    def row_at(self, offset: int) -> int:
        """The 1-based line of a byte."""
        return bisect_right(self._lines, offset)

    @cached_property
    def bare(self) -> str:
        """The source text with blanks for comments: what is looked for in it by a pattern is no remark."""
        return without_comments(self.source.text)

    def row_in_text(self, at: int) -> int:
        """The 1-based line of a character of the source text, as a pattern's match in it or in `bare` tells it."""
        return self.source.text.count("\n", 0, at) + 1

    def indent_of(self, node: cst.CSTNode) -> str:
        """The whitespace before a statement."""
        start = self.span(node).start
        line_start = self._lines[bisect_right(self._lines, start) - 1]
        text = self.utf8[line_start:start].decode()
        if text.strip():
            raise CannotRewrite("several statements stand on one line")
        return indentation(text)

    def place_of(self, node: cst.CSTNode) -> tuple[str, int]:
        """The indentation of the line on which an expression starts, and the width of what is beside it."""
        span = self.span(node)
        start = self._lines[bisect_right(self._lines, span.start) - 1]
        end = self._lines[min(bisect_right(self._lines, span.end - 1), len(self._lines) - 1)]
        before = self.utf8[start : span.start].decode()
        after = self.utf8[span.end : max(end, span.end)].decode().rstrip()
        indent = indentation(before)
        return indent, len(before) - len(indent) + len(after)

    def lines_of(self, node: cst.CSTNode) -> Span:
        """The whole lines that a statement occupies, its line end included; form feeds before it stay."""
        span = self.span(node)
        start = self._lines[bisect_right(self._lines, span.start) - 1]
        start = max(start, self.utf8.rfind(b"\f", start, span.start) + 1)
        last = bisect_right(self._lines, max(span.end - 1, span.start))
        end = self._lines[last] if last < len(self._lines) else len(self.utf8)
        return Span(start, end)

    def comments_in(self, span: Span) -> list[str]:
        """The comments inside a range, in order, without directives to tools, which go with their lines."""
        if not self._comments and b"#" in self.utf8:
            self._comments += self._find_comments()  # for all that were made of this script
        return [
            text
            for offset, text in self._comments
            if span.start <= offset < span.end and not _DIRECTIVE.match(text)
        ]

    def behind(self, node: cst.CSTNode) -> str:
        """What stands behind a statement on its last line: a comment, or nothing."""
        return self.utf8[self.span(node).end : self.lines_of(node).end].decode().strip()

    def _find_comments(self) -> Iterator[tuple[int, str]]:
        for token in tokenize.generate_tokens(io.StringIO(self.source.text, newline="").readline):
            if token.type == tokenize.COMMENT:
                line = self._lines[token.start[0] - 1]
                offset = line + len(token.line[: token.start[1]].encode())
                yield offset, token.string


def indentation(line: str) -> str:
    """The blanks that a line begins with; a form feed starts them anew."""
    return line[: len(line) - len(line.lstrip())].rpartition("\f")[2]


def keep_behind(
    behind: str, rows: list[str], floating: list[str], room: int
) -> tuple[list[str], list[str]]:
    """The new lines of a statement with its comment behind the last of them, where that fits.

    Args:
        behind: What stands behind the statement on its last line.
        rows: Its new lines.
        floating: The comments that would stand above them.
        room: The widest that a line may be, without its indentation.

    Returns:
        The lines, and the comments that still stand above them.
    """
    if behind not in floating or not rows or "\n" in rows[-1]:
        return rows, floating
    if len(rows[-1]) + 2 + len(behind) > room:
        return rows, floating
    left = list(floating)
    left.remove(behind)
    return [*rows[:-1], f"{rows[-1]}  {behind}"], left


def tree_of(source: Source, tree: ast.Module | None) -> tuple[cst.Module, Positions]:
    """A script's tree, exact if the interpreter's is given and that will do, and where its nodes stand."""
    if tree is not None:
        with suppress(InexactError):
            module = exact_module(tree, source.text)
            return module, ExactPositions(module, source.text)
    module = parse_full(source, parsed=True)
    return module, Positions(module, source.text)
