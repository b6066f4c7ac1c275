"""Which row of a variable of generated ids a decode call takes: the first, all, one by index or by loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import libcst as cst

from codemods.plan.sites import CannotRewrite
from codemods.script.looking import Looking
from codemods.script.purity import is_pure_assignment
from codemods.script.script import Script
from codemods.script.walks import NameUse
from codemods.texts.decoded_ids import generated_in
from lint_rules._flow.values.events import Decode
from lint_rules._flow.values.syntax import dotted
from lint_rules._light.positions import Span

_PASSES = ("to", "cpu", "cuda", "tolist", "numpy", "detach", "clone")


@dataclass(frozen=True, slots=True)
class Row:
    """What is decoded.

    Attributes:
        kind: `first`, `all`, `index` or `variable` (of a loop over the rows).
        code: The index or the variable as written.
    """

    kind: Literal["first", "all", "index", "variable"]
    code: str = ""


class Rows:
    """Reads the arguments of decode calls for one variable of generated ids.

    Attributes:
        name: The variable.
        loops: Where loops name the rows that they go over, as byte ranges.
        variables: Names that hold rows.
    """

    def __init__(self, script: Script, name: str, function: cst.FunctionDef | None) -> None:
        self.name = name
        self.loops: list[Span] = []
        self.variables: set[str] = set()
        self._script = script
        self._function = function
        self._scope: cst.CSTNode = script.module if function is None else function

    def row(self, decode: Decode) -> Row:
        """What a decode call takes.

        Raises:
            CannotRewrite: It is no plain slice, index or loop variable.
        """
        given = decode.args.get("token_ids", 0) or decode.args.get("sequences")
        if given is None or given.expression is None or generated_in(decode) is None:
            raise CannotRewrite("what is decoded is not written out")
        row = self._read(given.expression)
        if row is None or (row.kind == "all") != (decode.method == "batch_decode"):
            raise CannotRewrite("it cannot be told which of the generated rows is decoded")
        return row

    def _read(self, node: cst.BaseExpression) -> Row | None:
        if isinstance(node, cst.Name):
            return Row("all") if node.value == self.name else self._variable(node.value)
        if isinstance(node, cst.Attribute):
            inner = self._read(node.value)
            return inner if inner == Row("all") and node.attr.value == "sequences" else None
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            return self._read(node.func.value) if node.func.attr.value in _PASSES else None
        return self._subscript(node) if isinstance(node, cst.Subscript) else None

    def _subscript(self, node: cst.Subscript) -> Row | None:
        inner = self._read(node.value)
        parts = [element.slice for element in node.slice]
        if inner is None:
            return None
        if inner.kind != "all":
            return inner if len(parts) == 1 and isinstance(parts[0], cst.Slice) else None
        if len(parts) == 2 and isinstance(parts[0], cst.Slice):
            full = parts[0].lower is None and parts[0].upper is None and parts[0].step is None
            return inner if full and isinstance(parts[1], cst.Slice) else None
        if len(parts) > 2 or (len(parts) == 2 and not isinstance(parts[1], cst.Slice)):
            return None
        if not isinstance(parts[0], cst.Index):
            return None
        code = self._script.code(parts[0].value)
        return Row("first") if code == "0" else Row("index", code)

    def _variable(self, name: str) -> Row | None:
        """A row by a name: assigned on a line of its own, or the variable of a loop over the rows."""
        found = _Binds(name)
        self._scope.visit(found)
        stores = self._script.stores_of(name, self._function)
        # other functions may use the name for something of their own
        lines = [line for line in found.lines if self._stores(line, stores)]
        loops = [loop for loop in found.loops if self._stores(loop[0], stores)]
        if len(stores) != 1 or len(lines) + len(loops) != 1:
            return None
        self.variables.add(name)
        if lines:
            line = lines[0]
            statement = line.body[0]
            assert isinstance(statement, cst.Assign)
            return self._read(statement.value) if is_pure_assignment(line) else None
        target, source = loops[0]
        rows = rows_of(target, source, name)
        if rows is None or self._read(rows) != Row("all"):
            return None
        span = self._script.span(rows)
        if span not in self.loops:
            self.loops.append(span)
        return Row("variable", name)

    def _stores(self, node: cst.CSTNode, stores: list[NameUse]) -> bool:
        span = self._script.span(node)
        return any(span.start <= use.offset < span.end for use in stores)


def rows_of(
    target: cst.BaseExpression, source: cst.BaseExpression, name: str
) -> cst.BaseExpression | None:
    """The expression that a loop variable goes over, through `enumerate` and `zip`."""
    if isinstance(target, cst.Name):
        return source if target.value == name else None
    if not isinstance(target, cst.Tuple) or not isinstance(source, cst.Call):
        return None
    called = dotted(source.func)
    names = [dotted(element.value) for element in target.elements]
    plain = [arg.value for arg in source.args if arg.keyword is None and not arg.star]
    if called == "zip" and name in names and len(plain) >= len(names):
        return plain[names.index(name)]
    if called == "enumerate" and len(names) == 2 and plain:
        if names[1] == name:
            return plain[0]
        return rows_of(target.elements[1].value, plain[0], name)
    return None


class _Binds(Looking):
    """The lines and loops that bind a name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[cst.SimpleStatementLine] = []
        self.loops: list[tuple[cst.BaseExpression, cst.BaseExpression]] = []

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> None:
        only = node.body[0] if len(node.body) == 1 else None
        if isinstance(only, cst.Assign) and dotted(only.targets[0].target) == self.name:
            self.lines.append(node)

    def visit_For(self, node: cst.For) -> None:
        self._loop(node.target, node.iter)

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._loop(node.target, node.iter)

    def _loop(self, target: cst.BaseExpression, source: cst.BaseExpression) -> None:
        found = _Bound(self.name)
        target.visit(found)
        if found.there:
            self.loops.append((target, source))


class _Bound(Looking):
    def __init__(self, name: str) -> None:
        self.name = name
        self.there = False

    def visit_Name(self, node: cst.Name) -> None:
        self.there = self.there or node.value == self.name
