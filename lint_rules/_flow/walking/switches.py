"""Constants of a module that switch a branch on or off: `LEFT = False`, `if LEFT: …`.

Both branches are read, for a switch is there to be turned; but what holds afterwards is what the script
does as it stands. A parameter or an option is no switch: who calls decides it.
"""

from __future__ import annotations

from lint_rules._flow.values.joins import Constant
from lint_rules._flow.values.scopes import Env
from lint_rules._light import tree as cst


def switched(test: cst.BaseExpression, env: Env) -> bool | None:
    """Which way a branch on a module's constant goes; None where something else decides."""
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        found = switched(test.expression, env)
        return None if found is None else not found
    if not isinstance(test, cst.Name):
        return None
    scope: Env | None = env
    while scope is not None:
        value = scope.names.get(test.value)
        if value is not None:
            if scope.parent is not None or not isinstance(value, Constant):
                return None
            return value.value if isinstance(value.value, bool) else None
        scope = scope.parent
    return None
