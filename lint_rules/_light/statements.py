"""Light nodes for statements and modules."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from lint_rules._light import tree as cst
from lint_rules._light.expressions import (
    annotation,
    arguments,
    dotted_name,
    elements,
    expression,
    optional,
    parameters,
)
from lint_rules._light.nodes import make_name, maker
from lint_rules._light.operators import AUGMENTED
from lint_rules._light.patterns import pattern

_module = maker(cst.Module, "body")
_line = maker(cst.SimpleStatementLine, "body")
_block = maker(cst.IndentedBlock, "body")
_expr = maker(cst.Expr, "value")
_assign = maker(cst.Assign, "targets", "value")
_assign_target = maker(cst.AssignTarget, "target")
_ann_assign = maker(cst.AnnAssign, "target", "annotation", "value")
_aug_assign = maker(cst.AugAssign, "target", "operator", "value")
_return = maker(cst.Return, "value")
_import = maker(cst.Import, "names")
_import_from = maker(cst.ImportFrom, "module", "names", "relative")
_alias = maker(cst.ImportAlias, "name", "asname")
_as_name = maker(cst.AsName, "name")
_global = maker(cst.Global, "names")
_nonlocal = maker(cst.Nonlocal, "names")
_name_item = maker(cst.NameItem, "name")
_raise = maker(cst.Raise, "exc")
_assert = maker(cst.Assert, "test", "msg")
_del = maker(cst.Del, "target")
_tuple = maker(cst.Tuple, "elements")
_function = maker(
    cst.FunctionDef, "name", "params", "body", "decorators", "returns", "asynchronous"
)
_decorator = maker(cst.Decorator, "decorator")
_class = maker(cst.ClassDef, "name", "bases", "keywords", "body", "decorators")
_if = maker(cst.If, "test", "body", "orelse")
_else = maker(cst.Else, "body")
_for = maker(cst.For, "target", "iter", "body", "orelse")
_while = maker(cst.While, "test", "body", "orelse")
_with = maker(cst.With, "items", "body")
_with_item = maker(cst.WithItem, "item", "asname")
_try = maker(cst.Try, "body", "handlers", "orelse", "finalbody")
_try_star = maker(cst.TryStar, "body", "handlers", "orelse", "finalbody")
_handler = maker(cst.ExceptHandler, "body", "type")
_finally = maker(cst.Finally, "body")
_match = maker(cst.Match, "subject", "cases")
_case = maker(cst.MatchCase, "pattern", "body", "guard")
_type_alias = maker(cst.TypeAlias, "name", "value")

_STAR = maker(cst.ImportStar)()
_DOT = maker(cst.Dot)()
_PASS, _BREAK, _CONTINUE = (maker(kind)() for kind in (cst.Pass, cst.Break, cst.Continue))


def light_module(tree: ast.Module) -> cst.Module:
    """The light tree of a module.

    Raises:
        RecursionError: It nests deeper than the interpreter's stack.
    """
    module: cst.Module = _module(_statements(tree.body))
    return module


def light_expression(text: str) -> cst.BaseExpression:
    """The light tree of an expression's source.

    Raises:
        SyntaxError: It is none.
        ValueError: It holds a NUL byte.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made: cst.BaseExpression = expression(ast.parse(text, mode="eval").body)
    return made


def _statements(nodes: Sequence[ast.stmt]) -> tuple[Any, ...]:
    """Statements; simple ones of one line stand together, as in `a = 1; b = 2`."""
    made: list[Any] = []
    row, line = 0, None
    for node in nodes:
        simple = SIMPLE.get(type(node))
        if simple is None:
            compound = _COMPOUND.get(type(node))
            made.append(_line([_PASS]) if compound is None else compound(node))
            line = None
        elif line is not None and node.lineno == row:
            line.append(simple(node))
            row = node.end_lineno or row
        else:
            line = [simple(node)]
            made.append(_line(line))
            row = node.end_lineno or node.lineno
    return tuple(made)


def light_statement(nodes: Sequence[ast.stmt]) -> cst.BaseStatement:
    """The light tree of what is one statement there, as `grouped` gives it."""
    (made,) = _statements(nodes)
    statement: cst.BaseStatement = made
    return statement


def grouped(nodes: Sequence[ast.stmt]) -> list[list[ast.stmt]]:
    """The interpreter's statements by the light ones that are made of them, in order."""
    groups: list[list[ast.stmt]] = []
    row = 0  # where the simple statement before ends; 0 behind a compound one
    for node in nodes:
        if type(node) not in SIMPLE:
            groups.append([node])
            row = 0
            continue
        if row and node.lineno == row:
            groups[-1].append(node)
        else:
            groups.append([node])
        row = node.end_lineno or node.lineno
    return groups


def _suite(nodes: Sequence[ast.stmt]) -> Any:
    return _block(_statements(nodes))


def _else_of(nodes: Sequence[ast.stmt]) -> Any:
    return _else(_suite(nodes)) if nodes else None


def _name_or_none(name: str | None) -> Any:
    return None if name is None else _as_name(make_name(name))


# --- simple statements


def _assign_of(node: ast.Assign) -> Any:
    targets = [_assign_target(expression(target)) for target in node.targets]
    return _assign(targets, expression(node.value))


def _import_of(node: ast.Import) -> Any:
    return _import(
        [_alias(dotted_name(each.name), _name_or_none(each.asname)) for each in node.names]
    )


def _import_from_of(node: ast.ImportFrom) -> Any:
    if node.names[0].name == "*":
        names: Any = _STAR
    else:
        names = [_alias(make_name(each.name), _name_or_none(each.asname)) for each in node.names]
    module = None if node.module is None else dotted_name(node.module)
    return _import_from(module, names, (_DOT,) * node.level)


def _delete_of(node: ast.Delete) -> Any:
    many = len(node.targets) > 1
    return _del(_tuple(elements(node.targets)) if many else expression(node.targets[0]))


def _names(make: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda node: make([_name_item(make_name(name)) for name in node.names])


# --- compound statements


def _function_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Any:
    return _function(
        make_name(node.name),
        parameters(node.args),
        _suite(node.body),
        [_decorator(expression(each)) for each in node.decorator_list],
        annotation(node.returns),
        None,
    )


def _class_of(node: ast.ClassDef) -> Any:
    return _class(
        make_name(node.name),
        arguments(node.bases, ()),
        arguments((), node.keywords),
        _suite(node.body),
        [_decorator(expression(each)) for each in node.decorator_list],
    )


def _if_of(node: ast.If) -> Any:
    # `else:` with one `if` in it and `elif` do the same.
    only = node.orelse[0] if len(node.orelse) == 1 else None
    other = _if_of(only) if isinstance(only, ast.If) else _else_of(node.orelse)
    return _if(expression(node.test), _suite(node.body), other)


def _for_of(node: ast.For | ast.AsyncFor) -> Any:
    return _for(
        expression(node.target), expression(node.iter), _suite(node.body), _else_of(node.orelse)
    )


def _with_of(node: ast.With | ast.AsyncWith) -> Any:
    items = [
        _with_item(
            expression(item.context_expr),
            None if item.optional_vars is None else _as_name(expression(item.optional_vars)),
        )
        for item in node.items
    ]
    return _with(items, _suite(node.body))


def _try_of(node: Any) -> Any:
    make = _try if isinstance(node, ast.Try) else _try_star
    handlers = [_handler(_suite(each.body), optional(each.type)) for each in node.handlers]
    final = _finally(_suite(node.finalbody)) if node.finalbody else None
    return make(_suite(node.body), handlers, _else_of(node.orelse), final)


def _match_of(node: ast.Match) -> Any:
    cases = [
        _case(pattern(case.pattern), _suite(case.body), optional(case.guard)) for case in node.cases
    ]
    return _match(expression(node.subject), cases)


# What makes a light node of each kind of simple statement.
SIMPLE: dict[type[ast.AST], Callable[[Any], Any]] = {
    ast.Expr: lambda node: _expr(expression(node.value)),
    ast.Assign: _assign_of,
    ast.AnnAssign: lambda node: _ann_assign(
        expression(node.target), annotation(node.annotation), optional(node.value)
    ),
    ast.AugAssign: lambda node: _aug_assign(
        expression(node.target), AUGMENTED[type(node.op)], expression(node.value)
    ),
    ast.Return: lambda node: _return(optional(node.value)),
    ast.Import: _import_of,
    ast.ImportFrom: _import_from_of,
    ast.Global: _names(_global),
    ast.Nonlocal: _names(_nonlocal),
    ast.Raise: lambda node: _raise(optional(node.exc)),
    ast.Assert: lambda node: _assert(expression(node.test), optional(node.msg)),
    ast.Delete: _delete_of,
    ast.Pass: lambda _: _PASS,
    ast.Break: lambda _: _BREAK,
    ast.Continue: lambda _: _CONTINUE,
}
if hasattr(ast, "TypeAlias"):  # Python 3.12 and newer
    SIMPLE[ast.TypeAlias] = lambda node: _type_alias(
        make_name(node.name.id), expression(node.value)
    )
_COMPOUND: dict[type[ast.AST], Callable[[Any], Any]] = {
    ast.FunctionDef: _function_of,
    ast.AsyncFunctionDef: _function_of,
    ast.ClassDef: _class_of,
    ast.If: _if_of,
    ast.For: _for_of,
    ast.AsyncFor: _for_of,
    ast.While: lambda node: _while(expression(node.test), _suite(node.body), _else_of(node.orelse)),
    ast.With: _with_of,
    ast.AsyncWith: _with_of,
    ast.Try: _try_of,
    ast.Match: _match_of,
}
if hasattr(ast, "TryStar"):  # Python 3.11 and newer
    _COMPOUND[ast.TryStar] = _try_of
