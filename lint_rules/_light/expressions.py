"""Light nodes for expressions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from lint_rules._light import tree as cst
from lint_rules._light.nodes import (
    make_float,
    make_integer,
    make_name,
    make_string,
    maker,
)
from lint_rules._light.operators import OPERATORS

_attribute = maker(cst.Attribute, "value", "attr")
_call = maker(cst.Call, "func", "args")
_arg = maker(cst.Arg, "value", "keyword", "star")
_subscript = maker(cst.Subscript, "value", "slice")
_subscript_element = maker(cst.SubscriptElement, "slice")
_index = maker(cst.Index, "value", "star")
_slice = maker(cst.Slice, "lower", "upper", "step")
_element = maker(cst.Element, "value")
_starred = maker(cst.StarredElement, "value")
_tuple = maker(cst.Tuple, "elements")
_list = maker(cst.List, "elements")
_set = maker(cst.Set, "elements")
_dict = maker(cst.Dict, "elements")
_dict_element = maker(cst.DictElement, "key", "value")
_starred_dict = maker(cst.StarredDictElement, "value")
_boolean = maker(cst.BooleanOperation, "left", "operator", "right")
_binary = maker(cst.BinaryOperation, "left", "operator", "right")
_unary = maker(cst.UnaryOperation, "operator", "expression")
_comparison = maker(cst.Comparison, "left", "comparisons")
_target = maker(cst.ComparisonTarget, "operator", "comparator")
_if = maker(cst.IfExp, "test", "body", "orelse")
_walrus = maker(cst.NamedExpr, "target", "value")
_await = maker(cst.Await, "expression")
_yield = maker(cst.Yield, "value")
_from = maker(cst.From, "item")
_lambda = maker(cst.Lambda, "params", "body")
_generator = maker(cst.GeneratorExp, "elt", "for_in")
_list_comp = maker(cst.ListComp, "elt", "for_in")
_set_comp = maker(cst.SetComp, "elt", "for_in")
_dict_comp = maker(cst.DictComp, "key", "value", "for_in")
_comp_for = maker(cst.CompFor, "target", "iter", "ifs", "inner_for_in", "asynchronous")
_comp_if = maker(cst.CompIf, "test")
_formatted = maker(cst.FormattedString, "parts")
_formatted_text = maker(cst.FormattedStringText, "value")
_formatted_expression = maker(cst.FormattedStringExpression, "expression", "format_spec")
_param = maker(cst.Param, "name", "annotation", "default", "star")
_parameters = maker(
    cst.Parameters, "params", "star_arg", "kwonly_params", "star_kwarg", "posonly_params"
)
_annotation = maker(cst.Annotation, "annotation")

_ELLIPSIS = maker(cst.Ellipsis)()
_ONLY_STAR = maker(cst.ParamStar)()


def expression(node: ast.expr) -> Any:
    """The light node of an expression."""
    return BY_TYPE[type(node)](node)


def optional(node: ast.expr | None) -> Any:
    """The light node of an expression, None for None."""
    return None if node is None else BY_TYPE[type(node)](node)


def arguments(positional: Sequence[ast.expr], keywords: Sequence[ast.keyword]) -> list[Any]:
    """The arguments of a call, or the bases and keywords of a class, in the order of the source."""
    made = [
        _arg(expression(node.value), None, "*")
        if isinstance(node, ast.Starred)
        else _arg(BY_TYPE[type(node)](node), None, "")
        for node in positional
    ]
    made += [
        _arg(expression(given.value), None, "**")
        if given.arg is None
        else _arg(BY_TYPE[type(given.value)](given.value), make_name(given.arg), "")
        for given in keywords
    ]
    if positional and keywords and isinstance(positional[-1], ast.Starred):
        given: list[ast.expr | ast.keyword] = [*positional, *keywords]
        placed = [(node.lineno, node.col_offset) for node in given]
        order = sorted(range(len(made)), key=placed.__getitem__)
        return [made[index] for index in order]
    return made


def parameters(node: ast.arguments) -> Any:
    """The parameters of a function."""
    plain = [*node.posonlyargs, *node.args]
    defaults = [*([None] * (len(plain) - len(node.defaults))), *node.defaults]
    made = [_parameter(arg, default) for arg, default in zip(plain, defaults, strict=True)]
    split = len(node.posonlyargs)
    keyword_only = [
        _parameter(arg, default)
        for arg, default in zip(node.kwonlyargs, node.kw_defaults, strict=True)
    ]
    if node.vararg is not None:
        star: Any = _parameter(node.vararg, None, "*")
    else:
        star = _ONLY_STAR if keyword_only else None
    rest = None if node.kwarg is None else _parameter(node.kwarg, None, "**")
    return _parameters(made[split:], star, keyword_only, rest, made[:split])


def annotation(node: ast.expr | None) -> Any:
    """An annotation, None for none."""
    return None if node is None else _annotation(expression(node))


def elements(nodes: Sequence[ast.expr]) -> list[Any]:
    """The elements of a tuple, list or set."""
    return [
        _starred(expression(node.value))
        if isinstance(node, ast.Starred)
        else _element(BY_TYPE[type(node)](node))
        for node in nodes
    ]


def dotted_name(path: str) -> Any:
    """`a.b.c`, as an import names it."""
    head, *rest = path.split(".")
    node = make_name(head)
    for part in rest:
        node = _attribute(node, make_name(part))
    return node


def _parameter(arg: ast.arg, default: ast.expr | None, star: str = "") -> Any:
    return _param(make_name(arg.arg), annotation(arg.annotation), optional(default), star)


def _constant(node: ast.Constant) -> Any:
    value = node.value
    if isinstance(value, (str, bytes)):
        return make_string(value)
    if value is None or isinstance(value, bool):
        return make_name(str(value))
    if isinstance(value, int):
        return make_integer(value)
    if isinstance(value, float):
        return make_float(value)
    return _ELLIPSIS  # complex numbers too: no rule looks at either


def _attribute_of(node: ast.Attribute) -> Any:
    return _attribute(BY_TYPE[type(node.value)](node.value), make_name(node.attr))


def _call_of(node: ast.Call) -> Any:
    return _call(BY_TYPE[type(node.func)](node.func), arguments(node.args, node.keywords))


def _subscript_of(node: ast.Subscript) -> Any:
    key = node.slice
    parts = [key]
    if isinstance(key, ast.Tuple) and key.elts:
        first = key.elts[0]
        if (key.lineno, key.col_offset) == (first.lineno, first.col_offset):  # not in parentheses
            parts = key.elts
    return _subscript(expression(node.value), [_subscript_element(_part(part)) for part in parts])


def _part(node: ast.expr) -> Any:
    if isinstance(node, ast.Slice):
        return _slice(optional(node.lower), optional(node.upper), optional(node.step))
    if isinstance(node, ast.Starred):
        return _index(expression(node.value), "*")
    return _index(expression(node), None)


def _dict_of(node: ast.Dict) -> Any:
    return _dict(
        [
            _starred_dict(expression(value))
            if key is None
            else _dict_element(expression(key), expression(value))
            for key, value in zip(node.keys, node.values, strict=True)
        ]
    )


def _boolean_of(node: ast.BoolOp) -> Any:
    made = expression(node.values[0])
    for value in node.values[1:]:
        made = _boolean(made, OPERATORS[type(node.op)], expression(value))
    return made


def _comparison_of(node: ast.Compare) -> Any:
    targets = [
        _target(OPERATORS[type(sign)], expression(value))
        for sign, value in zip(node.ops, node.comparators, strict=True)
    ]
    return _comparison(expression(node.left), targets)


def _formatted_of(node: Any) -> Any:
    """An f-string, or a t-string, whose parts are called otherwise."""
    return _formatted(_parts_of(node))


def _parts_of(node: Any) -> list[Any]:
    parts: list[Any] = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(_formatted_text(part.value))
        else:
            spec = part.format_spec
            parts.append(
                _formatted_expression(
                    expression(part.value), None if spec is None else _parts_of(spec)
                )
            )
    return parts


def _clauses(generators: Sequence[ast.comprehension]) -> Any:
    inner = None
    for clause in reversed(generators):
        conditions = [_comp_if(expression(test)) for test in clause.ifs]
        inner = _comp_for(
            expression(clause.target), expression(clause.iter), conditions, inner, clause.is_async
        )
    return inner


def _comprehension(make: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda node: make(expression(node.elt), _clauses(node.generators))


# What makes a light node of each kind of expression.
BY_TYPE: dict[type[ast.AST], Callable[[Any], Any]] = {
    ast.Name: lambda node: make_name(node.id),
    ast.Attribute: _attribute_of,
    ast.Constant: _constant,
    ast.Call: _call_of,
    ast.Subscript: _subscript_of,
    ast.JoinedStr: _formatted_of,
    ast.Tuple: lambda node: _tuple(elements(node.elts)),
    ast.List: lambda node: _list(elements(node.elts)),
    ast.Set: lambda node: _set(elements(node.elts)),
    ast.Dict: _dict_of,
    ast.BoolOp: _boolean_of,
    ast.BinOp: lambda node: _binary(
        expression(node.left), OPERATORS[type(node.op)], expression(node.right)
    ),
    ast.UnaryOp: lambda node: _unary(OPERATORS[type(node.op)], expression(node.operand)),
    ast.Compare: _comparison_of,
    ast.IfExp: lambda node: _if(
        expression(node.test), expression(node.body), expression(node.orelse)
    ),
    ast.NamedExpr: lambda node: _walrus(expression(node.target), expression(node.value)),
    ast.Await: lambda node: _await(expression(node.value)),
    ast.Yield: lambda node: _yield(optional(node.value)),
    ast.YieldFrom: lambda node: _yield(_from(expression(node.value))),
    ast.Lambda: lambda node: _lambda(parameters(node.args), expression(node.body)),
    ast.GeneratorExp: _comprehension(_generator),
    ast.ListComp: _comprehension(_list_comp),
    ast.SetComp: _comprehension(_set_comp),
    ast.DictComp: lambda node: _dict_comp(
        expression(node.key), expression(node.value), _clauses(node.generators)
    ),
    # Where no other node of libcst's holds it: `print(*rows)` is an Arg's star, `[*rows]` an element's.
    ast.Starred: lambda node: _starred(expression(node.value)),
}
if hasattr(ast, "TemplateStr"):  # Python 3.14 and newer
    BY_TYPE[ast.TemplateStr] = _formatted_of
