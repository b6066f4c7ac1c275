"""Light nodes for the patterns of `match`."""

from __future__ import annotations

import ast
from typing import Any

from lint_rules._light import tree as cst
from lint_rules._light.expressions import expression
from lint_rules._light.nodes import make_name, maker

_as = maker(cst.MatchAs, "pattern", "name")
_or = maker(cst.MatchOr, "patterns")
_or_element = maker(cst.MatchOrElement, "pattern")
# Whether brackets or parentheses stand there makes no difference.
_sequence = maker(cst.MatchList, "patterns")
_element = maker(cst.MatchSequenceElement, "value")
_star = maker(cst.MatchStar, "name")
_mapping = maker(cst.MatchMapping, "elements", "rest")
_mapping_element = maker(cst.MatchMappingElement, "key", "pattern")
_class = maker(cst.MatchClass, "cls", "patterns", "kwds")
_keyword = maker(cst.MatchKeywordElement, "key", "pattern")
_value = maker(cst.MatchValue, "value")
_singleton = maker(cst.MatchSingleton, "value")


def pattern(node: ast.pattern) -> Any:
    """The light node of a pattern."""
    if isinstance(node, ast.MatchAs):
        return _as(None if node.pattern is None else pattern(node.pattern), _name(node.name))
    if isinstance(node, ast.MatchOr):
        return _or([_or_element(pattern(each)) for each in node.patterns])
    if isinstance(node, ast.MatchSequence):
        return _sequence([_part(each) for each in node.patterns])
    if isinstance(node, ast.MatchMapping):
        pairs = zip(node.keys, node.patterns, strict=True)
        return _mapping(
            [_mapping_element(expression(key), pattern(each)) for key, each in pairs],
            _name(node.rest),
        )
    if isinstance(node, ast.MatchClass):
        named = zip(node.kwd_attrs, node.kwd_patterns, strict=True)
        return _class(
            expression(node.cls),
            [_part(each) for each in node.patterns],
            [_keyword(make_name(key), pattern(each)) for key, each in named],
        )
    if isinstance(node, ast.MatchSingleton):
        return _singleton(make_name(str(node.value)))
    if isinstance(node, ast.MatchStar):
        return _star(_name(node.name))
    return _value(expression(node.value)) if isinstance(node, ast.MatchValue) else _as(None, None)


def _part(node: ast.pattern) -> Any:
    return pattern(node) if isinstance(node, ast.MatchStar) else _element(pattern(node))


def _name(name: str | None) -> Any:
    return None if name is None else make_name(name)
