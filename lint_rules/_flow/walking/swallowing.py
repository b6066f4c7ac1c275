"""`with` statements that go on behind an error of their body."""

from __future__ import annotations

from lint_rules._flow.values.joins import Symbol
from lint_rules._flow.values.scopes import Env
from lint_rules._flow.values.syntax import dotted
from lint_rules._flow.walking.expressions import Evaluator
from lint_rules._light import tree as cst

_SWALLOWING = frozenset(
    ["suppress", "raises", "assertRaises", "assertRaisesRegex", "ignored", "warns"]
)


def swallows(evaluator: Evaluator, item: cst.BaseExpression, env: Env) -> bool:
    """Whether what a `with` names swallows errors."""
    if not isinstance(item, cst.Call):
        return False
    called = evaluator.evaluate(item.func, env)
    name = called.name if isinstance(called, Symbol) else dotted(item.func) or ""
    return name.rsplit(".", 1)[-1] in _SWALLOWING
