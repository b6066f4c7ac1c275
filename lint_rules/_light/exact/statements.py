"""Statements and modules of exact trees."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from typing import Any

from lint_rules._light.exact.expressions import Expressions
from lint_rules._light.exact.nodes import (
    AUGMENTED,
    NOWHERE,
    InexactError,
    make_async,
    make_from,
    make_name,
    maker,
)
from lint_rules._light.exact.room import Room

_module = maker("Module", "body", more=("default_newline", "default_indent"))
_line = maker("SimpleStatementLine", "body")
_suite = maker("SimpleStatementSuite", "body")
_block = maker("IndentedBlock", "body")
_expr = maker("Expr", "value")
_assign = maker("Assign", "targets", "value")
_assign_target = maker("AssignTarget", "target")
_ann_assign = maker("AnnAssign", "target", "annotation", "value")
_aug_assign = maker("AugAssign", "target", "operator", "value")
_return = maker("Return", "value")
_import = maker("Import", "names")
_import_from = maker("ImportFrom", "relative", "module", "names")
_import_star = maker("ImportStar")
_dot = maker("Dot")
_alias = maker("ImportAlias", "name", "asname")
_as_name = maker("AsName", "name")
_global = maker("Global", "names")
_nonlocal = maker("Nonlocal", "names")
_name_item = maker("NameItem", "name")
_raise = maker("Raise", "exc", "cause")
_assert = maker("Assert", "test", "msg")
_del = maker("Del", "target")
_pass, _break, _continue = maker("Pass"), maker("Break"), maker("Continue")
_function = maker("FunctionDef", "decorators", "asynchronous", "name", "params", "returns", "body")
_decorator = maker("Decorator", "decorator")
_class = maker("ClassDef", "decorators", "name", "bases", "keywords", "body")
_if = maker("If", "test", "body", "orelse")
_else = maker("Else", "body")
_for = maker("For", "asynchronous", "target", "iter", "body", "orelse")
_while = maker("While", "test", "body", "orelse")
_with = maker("With", "asynchronous", "items", "body")
_with_item = maker("WithItem", "item", "asname")
_try = maker("Try", "body", "handlers", "orelse", "finalbody")
_handler = maker("ExceptHandler", "type", "name", "body")
_finally = maker("Finally", "body")

_DEFINED = re.compile(rb"(?:async[ \t]+)?(?:def|class)[ \t]+")
_FROM = re.compile(rb"from[ \t]*((?:\.[ \t]*)*)")
_BLANKS = re.compile(rb"[ \t]*")


class Statements(Expressions):
    """Makes the nodes of statements."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._indent: str | None = None

    def module(self, tree: ast.Module) -> Any:
        """The tree of a file.

        Raises:
            InexactError: It holds something that only a full tree shows as it is.
        """
        room = self.room
        if b"\f" in room.utf8:
            raise InexactError("a form feed")
        body = self._body(tree.body)
        indent = "    " if self._indent is None else self._indent
        return _module(room, 0, len(room.utf8), body, room.newline, indent)

    def _body(self, nodes: Sequence[ast.stmt]) -> tuple[Any, ...]:
        """Statements; simple ones of one line stand together, as in `a = 1; b = 2`."""
        room = self.room
        made: list[Any] = []
        row, line = 0, None
        for node in nodes:
            begin, finish = self.ends(node)
            simple = _SIMPLE.get(type(node))
            if simple is None:
                compound = _COMPOUND.get(type(node))
                if compound is None or getattr(node, "type_params", None):
                    raise InexactError(type(node).__name__)
                made.append(compound(self, node, begin, finish))
                line = None
                continue
            one = simple(self, node, begin, finish)
            if line is not None and node.lineno == row:
                line.body.append(one)
                line.finish = finish
            else:
                line = _line(room, begin, finish, [one])
                made.append(line)
            row = node.end_lineno or node.lineno
        return tuple(made)

    def _block(self, nodes: Sequence[ast.stmt]) -> Any:
        """The body of a compound statement."""
        room = self.room
        first = nodes[0]
        start = self.lines[first.lineno - 1]
        begin, finish = start + first.col_offset, self.ends(nodes[-1])[1]
        before = room.utf8[start:begin]
        above = room.utf8[self.lines[max(first.lineno - 2, 0)] : start].rstrip(b"\r\n")
        continues = above.endswith(b"\\")
        if continues and b"#" in above:
            raise InexactError("a line that goes on, or a comment that ends so")
        if before.strip() or continues:
            small = [_SIMPLE[type(node)](self, node, *self.ends(node)) for node in nodes]
            return _suite(room, begin, finish, small)
        if self._indent is None:
            self._indent = before.decode()
        return _block(room, begin, finish, self._body(nodes))

    def _otherwise(self, nodes: Sequence[ast.stmt], body: Any) -> Any:
        """The `else` behind a body."""
        if not nodes:
            return None
        begin = self.room.word_after(body.finish, b"else")
        made = self._block(nodes)
        return _else(self.room, begin, made.finish, made)

    def _name_at(self, begin: int, name: str) -> Any:
        if not self.room.utf8.startswith(name.encode(), begin):
            return make_name(self.room, NOWHERE, 0, name)
        return make_name(self.room, begin, begin + len(name.encode()), name)

    def _as(self, name: str | None, finish: int) -> Any:
        """`as name`, up to an offset."""
        if name is None:
            return None
        made = self._name_at(finish - len(name.encode()), name)
        return _as_name(self.room, NOWHERE, 0, made)

    def _decorators(self, nodes: Sequence[ast.expr]) -> Any:
        return [_decorator(self.room, NOWHERE, 0, self.make(node)) for node in nodes]

    def _async(self, node: Any) -> Any:
        waits = isinstance(node, (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith))
        return make_async(self.room, NOWHERE, 0) if waits else None

    # --- simple statements

    def _expr(self, node: ast.Expr, begin: int, finish: int) -> Any:
        return _expr(self.room, begin, finish, self.make(node.value))

    def _assign(self, node: ast.Assign, begin: int, finish: int) -> Any:
        room = self.room
        targets = [_assign_target(room, NOWHERE, 0, self.make(each)) for each in node.targets]
        return _assign(room, begin, finish, targets, self.make(node.value))

    def _ann_assign(self, node: ast.AnnAssign, begin: int, finish: int) -> Any:
        if self.room.utf8[begin : begin + 1] == b"(":
            raise InexactError("libcst refuses a target in parentheses, and says where")
        target, note = self.make(node.target), self.annotation(node.annotation)
        return _ann_assign(self.room, begin, finish, target, note, self.optional(node.value))

    def _aug_assign(self, node: ast.AugAssign, begin: int, finish: int) -> Any:
        target, operator = self.make(node.target), AUGMENTED[type(node.op)]
        return _aug_assign(self.room, begin, finish, target, operator, self.make(node.value))

    def _return(self, node: ast.Return, begin: int, finish: int) -> Any:
        return _return(self.room, begin, finish, self.optional(node.value))

    def _aliases(self, nodes: Sequence[ast.alias]) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            begin, finish = self.ends(node)
            name = self.dotted_name(node.name, begin)
            found.append(_alias(self.room, begin, finish, name, self._as(node.asname, finish)))
        return found

    def _import(self, node: ast.Import, begin: int, finish: int) -> Any:
        return _import(self.room, begin, finish, self._aliases(node.names))

    def _import_from(self, node: ast.ImportFrom, begin: int, finish: int) -> Any:
        room = self.room
        names: Any = (
            _import_star(room, NOWHERE, 0)
            if node.names[0].name == "*"
            else self._aliases(node.names)
        )
        module = None
        if node.module is not None:
            head = _FROM.match(room.utf8, begin)
            module = self.dotted_name(node.module, head.end() if head else begin)
        dots = [_dot(room, NOWHERE, 0) for _ in range(node.level)]
        return _import_from(room, begin, finish, dots, module, names)

    def _delete(self, node: ast.Delete, begin: int, finish: int) -> Any:
        many = len(node.targets) > 1
        target = self.tuple_of(node.targets) if many else self.make(node.targets[0])
        return _del(self.room, begin, finish, target)

    def _names(self, node: ast.Global | ast.Nonlocal, begin: int, finish: int) -> Any:
        room = self.room
        make = _global if isinstance(node, ast.Global) else _nonlocal
        at = begin + (6 if isinstance(node, ast.Global) else 8)
        found: list[Any] = []
        for name in node.names:
            blanks = _BLANKS.match(room.utf8, at)
            made = self._name_at(blanks.end() if blanks else at, name)
            at = made.finish + 1
            found.append(_name_item(room, NOWHERE, 0, made))
        return make(room, begin, finish, found)

    def _raise(self, node: ast.Raise, begin: int, finish: int) -> Any:
        room = self.room
        cause = None if node.cause is None else make_from(room, NOWHERE, 0, self.make(node.cause))
        return _raise(room, begin, finish, self.optional(node.exc), cause)

    def _assert(self, node: ast.Assert, begin: int, finish: int) -> Any:
        return _assert(self.room, begin, finish, self.make(node.test), self.optional(node.msg))

    # --- compound statements

    def _defined(self, begin: int, name: str) -> Any:
        """The name of a function or class."""
        found = _DEFINED.match(self.room.utf8, begin)
        return self._name_at(begin if found is None else found.end(), name)

    def _function(self, node: Any, begin: int, finish: int) -> Any:
        decorators, name = self._decorators(node.decorator_list), self._defined(begin, node.name)
        params, returns = self.parameters(node.args), self.annotation(node.returns)
        body, waits = self._block(node.body), self._async(node)
        return _function(self.room, begin, finish, decorators, waits, name, params, returns, body)

    def _class(self, node: ast.ClassDef, begin: int, finish: int) -> Any:
        decorators, name = self._decorators(node.decorator_list), self._defined(begin, node.name)
        bases, keywords = self.arguments(node.bases, ()), self.arguments((), node.keywords)
        body = self._block(node.body)
        return _class(self.room, begin, finish, decorators, name, bases, keywords, body)

    def _branch(self, node: ast.If, begin: int, finish: int) -> Any:
        test, body = self.make(node.test), self._block(node.body)
        only = node.orelse[0] if len(node.orelse) == 1 else None
        if isinstance(only, ast.If) and self.room.utf8.startswith(b"elif", self.ends(only)[0]):
            other = self._branch(only, *self.ends(only))
        else:
            other = self._otherwise(node.orelse, body)
        return _if(self.room, begin, finish, test, body, other)

    def _for(self, node: ast.For | ast.AsyncFor, begin: int, finish: int) -> Any:
        target, rows = self.make(node.target), self.make(node.iter)
        body = self._block(node.body)
        other = self._otherwise(node.orelse, body)
        return _for(self.room, begin, finish, self._async(node), target, rows, body, other)

    def _while(self, node: ast.While, begin: int, finish: int) -> Any:
        test, body = self.make(node.test), self._block(node.body)
        other = self._otherwise(node.orelse, body)
        return _while(self.room, begin, finish, test, body, other)

    def _with(self, node: ast.With | ast.AsyncWith, begin: int, finish: int) -> Any:
        room = self.room
        items = []
        for item in node.items:
            made = self.make(item.context_expr)
            target = item.optional_vars
            name = None if target is None else _as_name(room, NOWHERE, 0, self.make(target))
            items.append(_with_item(room, NOWHERE, 0, made, name))
        return _with(room, begin, finish, self._async(node), items, self._block(node.body))

    def _try(self, node: Any, begin: int, finish: int) -> Any:
        room = self.room
        body = last = self._block(node.body)
        handlers = []
        for each in node.handlers:
            kind = self.optional(each.type)
            name = None if each.name is None else self._caught(each, kind)
            last = self._block(each.body)
            handlers.append(_handler(room, *self.ends(each), kind, name, last))
        other = self._otherwise(node.orelse, last)
        final = None
        if node.finalbody:
            start = room.word_after((other or last).finish, b"finally")
            inner = self._block(node.finalbody)
            final = _finally(room, start, inner.finish, inner)
        return _try(room, begin, finish, body, handlers, other, final)

    def _caught(self, node: ast.ExceptHandler, kind: Any) -> Any:
        room, name = self.room, node.name or ""
        _, end = room.around(kind.begin, kind.finish)
        at = room.word_after(end, b"as")
        return _as_name(room, NOWHERE, 0, self._name_at(room.code_after(at + 2), name))


def _bare(make: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, _node, begin, finish: make(self.room, begin, finish)


_SIMPLE: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Expr: Statements._expr,
    ast.Assign: Statements._assign,
    ast.AnnAssign: Statements._ann_assign,
    ast.AugAssign: Statements._aug_assign,
    ast.Return: Statements._return,
    ast.Import: Statements._import,
    ast.ImportFrom: Statements._import_from,
    ast.Global: Statements._names,
    ast.Nonlocal: Statements._names,
    ast.Raise: Statements._raise,
    ast.Assert: Statements._assert,
    ast.Delete: Statements._delete,
    ast.Pass: _bare(_pass),
    ast.Break: _bare(_break),
    ast.Continue: _bare(_continue),
}
_COMPOUND: dict[type[ast.AST], Callable[..., Any]] = {
    ast.FunctionDef: Statements._function,
    ast.AsyncFunctionDef: Statements._function,
    ast.ClassDef: Statements._class,
    ast.If: Statements._branch,
    ast.For: Statements._for,
    ast.AsyncFor: Statements._for,
    ast.While: Statements._while,
    ast.With: Statements._with,
    ast.AsyncWith: Statements._with,
    ast.Try: Statements._try,
}
