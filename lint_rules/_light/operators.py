"""Operators of light trees: one object of each serves all, as only whitespace tells two apart."""

from __future__ import annotations

import ast

from lint_rules._light import tree as cst
from lint_rules._light.nodes import maker

_KINDS: dict[type[ast.AST], type[cst.CSTNode]] = {
    ast.And: cst.And,
    ast.Or: cst.Or,
    ast.Add: cst.Add,
    ast.Sub: cst.Subtract,
    ast.Mult: cst.Multiply,
    ast.MatMult: cst.MatrixMultiply,
    ast.Div: cst.Divide,
    ast.FloorDiv: cst.FloorDivide,
    ast.Mod: cst.Modulo,
    ast.Pow: cst.Power,
    ast.LShift: cst.LeftShift,
    ast.RShift: cst.RightShift,
    ast.BitOr: cst.BitOr,
    ast.BitXor: cst.BitXor,
    ast.BitAnd: cst.BitAnd,
    ast.Invert: cst.BitInvert,
    ast.Not: cst.Not,
    ast.UAdd: cst.Plus,
    ast.USub: cst.Minus,
    ast.Eq: cst.Equal,
    ast.NotEq: cst.NotEqual,
    ast.Lt: cst.LessThan,
    ast.LtE: cst.LessThanEqual,
    ast.Gt: cst.GreaterThan,
    ast.GtE: cst.GreaterThanEqual,
    ast.Is: cst.Is,
    ast.IsNot: cst.IsNot,
    ast.In: cst.In,
    ast.NotIn: cst.NotIn,
}
OPERATORS: dict[type[ast.AST], cst.CSTNode] = {
    operator: maker(kind)() for operator, kind in _KINDS.items()
}
AUGMENTED: dict[type[ast.AST], cst.CSTNode] = {
    operator: maker(getattr(cst, f"{kind.__name__}Assign"))()
    for operator, kind in _KINDS.items()
    if issubclass(operator, ast.operator)
}
