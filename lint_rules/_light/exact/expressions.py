"""Expressions of exact trees."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from lint_rules._light.exact.nodes import (
    AROUND,
    NOWHERE,
    OPERATORS,
    InexactError,
    make_async,
    make_ellipsis,
    make_float,
    make_from,
    make_integer,
    make_name,
    maker,
)
from lint_rules._light.exact.parts import Parts, make_attribute, make_tuple
from lint_rules._light.exact.room import Room
from lint_rules._light.exact.strings import Strings

_call = maker("Call", "func", "args")
_subscript = maker("Subscript", "value", "slice")
_subscript_element = maker("SubscriptElement", "slice")
_index = maker("Index", "value", more=("star",))
_slice = maker("Slice", "lower", "upper", "step")
_starred = maker("StarredElement", "value")
_list = maker("List", "elements")
_set = maker("Set", "elements")
_dict = maker("Dict", "elements")
_dict_element = maker("DictElement", "key", "value")
_starred_dict = maker("StarredDictElement", "value")
_boolean = maker("BooleanOperation", "left", "operator", "right")
_binary = maker("BinaryOperation", "left", "operator", "right")
_unary = maker("UnaryOperation", "operator", "expression")
_comparison = maker("Comparison", "left", "comparisons")
_target = maker("ComparisonTarget", "operator", "comparator")
_if = maker("IfExp", "body", "test", "orelse")
_walrus = maker("NamedExpr", "target", "value")
_await = maker("Await", "expression")
_yield = maker("Yield", "value")
_lambda = maker("Lambda", "params", "body")
_generator = maker("GeneratorExp", "elt", "for_in")
_list_comp = maker("ListComp", "elt", "for_in")
_set_comp = maker("SetComp", "elt", "for_in")
_dict_comp = maker("DictComp", "key", "value", "for_in")
_comp_for = maker("CompFor", "asynchronous", "target", "iter", "ifs", "inner_for_in")
_comp_if = maker("CompIf", "test")


class Expressions(Parts):
    """Makes the nodes of expressions.

    Args:
        room: The text that they stand in.
    """

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self.strings = Strings(room, self._parsed)

    def make(self, node: ast.expr) -> Any:
        """The node of an expression.

        Raises:
            InexactError: Of one that only a full tree shows as it is.
        """
        lines = self.lines
        begin = lines[node.lineno - 1] + node.col_offset
        finish = lines[node.end_lineno - 1] + node.end_col_offset  # type: ignore[operator]
        kind = type(node)
        if kind is ast.Name:
            name = node.id  # type: ignore[attr-defined]
            if finish - begin != len(name) and finish - begin != len(name.encode()):
                raise InexactError("a name that is written in another way")
            return make_name(self.room, begin, finish, name)
        made = _BY_TYPE.get(kind)
        if made is None:
            raise InexactError(kind.__name__)
        return made(self, node, begin, finish)

    def _parsed(self, code: bytes, begin: int) -> Any:
        """The expression in a field of an f-string."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                tree = ast.parse(b"(" + code + b")", mode="eval")
            except SyntaxError as error:
                raise InexactError("an odd f-string") from error
        lines, self.lines = self.lines, [begin - 1]
        try:
            if isinstance(tree.body, (ast.Tuple, ast.GeneratorExp)):
                raise InexactError("an odd f-string")
            return self.make(tree.body)
        finally:
            self.lines = lines

    # --- one kind each

    def _attribute(self, node: ast.Attribute, begin: int, finish: int) -> Any:
        name, room = node.attr, self.room
        start = finish - (len(name) if name.isascii() else len(name.encode()))
        attr = make_name(room, start, finish, name)
        return make_attribute(room, begin, finish, self.make(node.value), attr)

    def _constant(self, node: ast.Constant, begin: int, finish: int) -> Any:
        value, room = node.value, self.room
        if isinstance(value, (str, bytes)):
            return self.strings.plain(value, begin, finish)
        if value is None or isinstance(value, bool):
            return make_name(room, begin, finish, str(value))
        if value is Ellipsis:
            return make_ellipsis(room, begin, finish)
        if isinstance(value, complex):
            raise InexactError("an imaginary number")
        make = make_integer if isinstance(value, int) else make_float
        return make(room, begin, finish, value, room.utf8[begin:finish].decode())

    def _joined(self, _node: ast.JoinedStr, begin: int, finish: int) -> Any:
        return self.strings.joined(begin, finish)

    def _call(self, node: ast.Call, begin: int, finish: int) -> Any:
        function = self.make(node.func)
        return _call(self.room, begin, finish, function, self.arguments(node.args, node.keywords))

    def _subscript(self, node: ast.Subscript, begin: int, finish: int) -> Any:
        key = node.slice
        parts = [key]
        if isinstance(key, ast.Tuple) and key.elts and not self._is_in_parentheses(key):
            parts = key.elts
        made = [_subscript_element(self.room, AROUND, 0, self._part(part)) for part in parts]
        return _subscript(self.room, begin, finish, self.make(node.value), made)

    def _part(self, node: ast.expr) -> Any:
        room = self.room
        if isinstance(node, ast.Slice):
            begin, finish = self.ends(node)
            if room.utf8[finish - 1 : finish] == b":" and room.utf8[finish] not in b"],":
                begin = NOWHERE  # libcst counts what is behind the last colon
            bounds = (self.optional(node.lower), self.optional(node.upper))
            return _slice(room, begin, finish, *bounds, self.optional(node.step))
        if isinstance(node, ast.Starred):
            return _index(room, *self.ends(node), self.make(node.value), "*")
        return _index(room, AROUND, 0, self.make(node), None)

    def _is_in_parentheses(self, node: ast.expr) -> bool:
        begin, finish = self.ends(node)
        return self.room.utf8[begin : begin + 1] == b"(" and self.room.closes(finish - 1, begin)

    def _tuple(self, node: ast.Tuple, begin: int, finish: int) -> Any:
        room = self.room
        made = self.elements(node.elts)
        if not self._is_in_parentheses(node):
            return make_tuple(room, begin, finish, made)
        if not made:
            return make_tuple(room, NOWHERE, 0, made)
        close, finish = finish - 1, self.ends(node.elts[-1])[1]
        begin = room.code_after(begin + 1)
        while (at := room.code_after(finish)) < close:  # its parentheses, and a last comma
            finish = at + 1
        return make_tuple(room, begin, finish, made)

    def _list(self, node: ast.List, begin: int, finish: int) -> Any:
        return _list(self.room, begin, finish, self.elements(node.elts))

    def _set(self, node: ast.Set, begin: int, finish: int) -> Any:
        return _set(self.room, begin, finish, self.elements(node.elts))

    def _dict(self, node: ast.Dict, begin: int, finish: int) -> Any:
        room = self.room
        made = [
            _starred_dict(room, NOWHERE, 0, self.make(value))
            if key is None
            else _dict_element(room, NOWHERE, 0, self.make(key), self.make(value))
            for key, value in zip(node.keys, node.values, strict=True)
        ]
        return _dict(room, begin, finish, made)

    def _boolean(self, node: ast.BoolOp, begin: int, finish: int) -> Any:
        made = self.make(node.values[0])
        operator = OPERATORS[type(node.op)]
        for value in node.values[1:]:
            _, end = self.ends(value)
            right = self.make(value)
            place = (begin, finish if value is node.values[-1] else end)
            if value is not node.values[-1] and self.room.parentheses(*self._inner(right)):
                place = (begin, self.room.around(*self._inner(right))[1])
            made = _boolean(self.room, *place, made, operator, right)
        return made

    def _inner(self, made: Any) -> tuple[int, int]:
        return made.begin, made.finish

    def _binary(self, node: ast.BinOp, begin: int, finish: int) -> Any:
        operator = OPERATORS[type(node.op)]
        left, right = self.make(node.left), self.make(node.right)
        return _binary(self.room, begin, finish, left, operator, right)

    def _unary(self, node: ast.UnaryOp, begin: int, finish: int) -> Any:
        return _unary(self.room, begin, finish, OPERATORS[type(node.op)], self.make(node.operand))

    def _comparison(self, node: ast.Compare, begin: int, finish: int) -> Any:
        targets = [
            _target(self.room, NOWHERE, 0, OPERATORS[type(sign)], self.make(value))
            for sign, value in zip(node.ops, node.comparators, strict=True)
        ]
        return _comparison(self.room, begin, finish, self.make(node.left), targets)

    def _refuse_words_beside(self, begin: int, finish: int) -> None:
        """What has no blank between its parentheses and a keyword is refused by libcst, which says where."""
        before, after = self.room.utf8[begin - 2 : begin], self.room.utf8[finish : finish + 2]
        word = before[1:] == b"(" and self.room.is_keyword_before(begin - 1)
        if word or (after[:1] == b")" and after[1:].isalpha()):
            raise InexactError("a keyword beside parentheses")

    def _if(self, node: ast.IfExp, begin: int, finish: int) -> Any:
        self._refuse_words_beside(begin, finish)
        body, test = self.make(node.body), self.make(node.test)
        return _if(self.room, begin, finish, body, test, self.make(node.orelse))

    def _walrus(self, node: ast.NamedExpr, begin: int, finish: int) -> Any:
        return _walrus(self.room, begin, finish, self.make(node.target), self.make(node.value))

    def _await(self, node: ast.Await, begin: int, finish: int) -> Any:
        return _await(self.room, begin, finish, self.make(node.value))

    def _yield(self, node: ast.Yield, begin: int, finish: int) -> Any:
        return _yield(self.room, begin, finish, self.optional(node.value))

    def _yield_from(self, node: ast.YieldFrom, begin: int, finish: int) -> Any:
        value = make_from(self.room, NOWHERE, 0, self.make(node.value))
        return _yield(self.room, begin, finish, value)

    def _lambda(self, node: ast.Lambda, begin: int, finish: int) -> Any:
        self._refuse_words_beside(begin, finish)
        params = self.parameters(node.args)
        return _lambda(self.room, begin, finish, params, self.make(node.body))

    def _clauses(self, generators: Sequence[ast.comprehension]) -> Any:
        inner, room = None, self.room
        for clause in reversed(generators):
            conditions = [_comp_if(room, NOWHERE, 0, self.make(test)) for test in clause.ifs]
            waits = make_async(room, NOWHERE, 0) if clause.is_async else None
            target, rows = self.make(clause.target), self.make(clause.iter)
            inner = _comp_for(room, NOWHERE, 0, waits, target, rows, conditions, inner)
        return inner

    def _generator(self, node: ast.GeneratorExp, _begin: int, _finish: int) -> Any:
        """Its parentheses are its own, or those of the call that it is the only argument of."""
        element = self.make(node.elt)
        return _generator(self.room, NOWHERE, 0, element, self._clauses(node.generators))

    def _dict_comp(self, node: ast.DictComp, begin: int, finish: int) -> Any:
        key, value = self.make(node.key), self.make(node.value)
        return _dict_comp(self.room, begin, finish, key, value, self._clauses(node.generators))

    def _starred(self, node: ast.Starred, begin: int, finish: int) -> Any:
        return _starred(self.room, begin, finish, self.make(node.value))


def _comprehension(make: Callable[..., Any]) -> Callable[..., Any]:
    def made(self: Expressions, node: Any, begin: int, finish: int) -> Any:
        element = self.make(node.elt)
        return make(self.room, begin, finish, element, self._clauses(node.generators))

    return made


_BY_TYPE: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Attribute: Expressions._attribute,
    ast.Constant: Expressions._constant,
    ast.Call: Expressions._call,
    ast.Subscript: Expressions._subscript,
    ast.JoinedStr: Expressions._joined,
    ast.Tuple: Expressions._tuple,
    ast.List: Expressions._list,
    ast.Set: Expressions._set,
    ast.Dict: Expressions._dict,
    ast.BoolOp: Expressions._boolean,
    ast.BinOp: Expressions._binary,
    ast.UnaryOp: Expressions._unary,
    ast.Compare: Expressions._comparison,
    ast.IfExp: Expressions._if,
    ast.NamedExpr: Expressions._walrus,
    ast.Await: Expressions._await,
    ast.Yield: Expressions._yield,
    ast.YieldFrom: Expressions._yield_from,
    ast.Lambda: Expressions._lambda,
    ast.GeneratorExp: Expressions._generator,
    ast.ListComp: _comprehension(_list_comp),
    ast.SetComp: _comprehension(_set_comp),
    ast.DictComp: Expressions._dict_comp,
    ast.Starred: Expressions._starred,
}
