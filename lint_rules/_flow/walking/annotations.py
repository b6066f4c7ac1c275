"""What annotations are made of."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from lint_rules._flow.values.syntax import dotted
from lint_rules._light import light_expression
from lint_rules._light import tree as cst


def members_of(node: cst.BaseExpression | None) -> Iterator[cst.BaseExpression]:
    """What a type may be: the sides of `A | B`, the parameters of Optional, Union and Annotated."""
    if isinstance(node, cst.BinaryOperation):
        yield from members_of(node.left)
        yield from members_of(node.right)
    elif isinstance(node, cst.Subscript):
        name = (dotted(node.value) or "").rsplit(".", 1)[-1]
        inner = {"Optional": 1, "Annotated": 1, "Union": len(node.slice)}.get(name, 0)
        for element in node.slice[:inner]:
            if isinstance(element.slice, cst.Index):
                yield from members_of(element.slice.value)
    elif node is not None:
        yield node


@lru_cache(maxsize=4096)
def parsed(text: str) -> cst.BaseExpression | None:
    """A quoted type, None for some text that is none."""
    try:
        return light_expression(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # some text that is no type
