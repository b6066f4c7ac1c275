"""Small questions about syntax nodes."""

from __future__ import annotations

import libcst as cst


def dotted(node: cst.BaseExpression) -> str | None:
    """`a.b.c` as text, None for anything else."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        base = dotted(node.value)
        return None if base is None else f"{base}.{node.attr.value}"
    return None


def has_decorator(function: cst.FunctionDef, *names: str) -> bool:
    """Whether a function carries one of the decorators, by the last part of its name."""
    for decorator in function.decorators:
        expression = decorator.decorator
        path = dotted(expression.func if isinstance(expression, cst.Call) else expression)
        if path is not None and path.rsplit(".", 1)[-1] in names:
            return True
    return False
