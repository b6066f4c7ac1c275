"""Small questions about syntax nodes."""

from __future__ import annotations

from lint_rules._light import tree as cst


def dotted(node: cst.BaseExpression) -> str | None:
    """`a.b.c` as text, None for anything else."""
    if isinstance(node, cst.Name):
        return node.value
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    if not isinstance(node, cst.Name):
        return None
    parts.append(node.value)
    parts.reverse()
    return ".".join(parts)


def has_decorator(function: cst.FunctionDef, *names: str) -> bool:
    """Whether a function carries one of the decorators, by the last part of its name."""
    for decorator in function.decorators:
        expression = decorator.decorator
        path = dotted(expression.func if isinstance(expression, cst.Call) else expression)
        if path is not None and path.rsplit(".", 1)[-1] in names:
            return True
    return False


def shape(node: cst.CSTNode) -> object:
    """What two expressions have in common that say the same: names, literals and calls of them."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        return (shape(node.value), node.attr.value)
    if isinstance(node, (cst.SimpleString, cst.Integer)):
        return ("literal", node.evaluated_value)
    if isinstance(node, cst.Call):
        given = tuple(
            (arg.star, arg.keyword and arg.keyword.value, shape(arg.value)) for arg in node.args
        )
        return (shape(node.func), "()", given)
    if isinstance(node, cst.Subscript):
        keys = tuple(
            shape(part.slice.value) if isinstance(part.slice, cst.Index) else part
            for part in node.slice
        )
        return (shape(node.value), "[]", keys)
    return node
