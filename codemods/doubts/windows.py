"""Whether a forward pass gets a prompt as it was tokenised, or a window of one."""

from __future__ import annotations

import libcst as cst

from codemods.script.script import Script
from lint_rules._flow.values.events import Encode, Forward, Generate

# Methods of ids that keep all of them, in their order.
_KEEPS = frozenset(
    ["to", "cuda", "cpu", "long", "int", "clone", "detach", "contiguous", "unsqueeze"]
)
_MOST_STEPS = 20
_Function = cst.FunctionDef | None


def is_whole(script: Script, forward: Forward | Generate) -> bool:
    """Whether the ids of a forward pass, or of a generation, are certainly all that a tokenizer call gave.

    What comes through a `**` dict counts as whole; what a parameter, a loop or a slice gives does not.
    """
    named = forward.args.keywords
    given = named.get("input_ids") or named.get("inputs")
    given = given or next(iter(forward.args.positional), None)
    if given is None:
        return True
    if given.expression is None:
        return False
    return _whole(script, given.expression, forward.place.function, _MOST_STEPS)


def _whole(script: Script, node: cst.BaseExpression, function: _Function, steps: int) -> bool:
    if steps == 0:
        return False
    inner: cst.BaseExpression | None = None
    if isinstance(node, cst.Name):
        scope = script.home_of(node.value, function)
        values = script.assigned_values(node.value, scope)
        seen = bool(values) and len(values) == len(script.stores_of(node.value, scope))
        return seen and all(_whole(script, value, scope, steps - 1) for value in values)
    if isinstance(node, cst.Call):
        if script.flow.event_at(node, Encode) is not None:
            return True
        called = node.func
        if isinstance(called, cst.Attribute) and called.attr.value in _KEEPS:
            inner = called.value
        elif script.code(called).endswith(("tensor", "Tensor")) and node.args:
            inner = node.args[0].value
    elif isinstance(node, cst.Attribute):
        inner = node.value if node.attr.value in ("input_ids", "ids") else None
    elif isinstance(node, cst.Subscript):
        index = node.slice[0].slice if len(node.slice) == 1 else None
        named = isinstance(index, cst.Index) and isinstance(index.value, cst.SimpleString)
        inner = node.value if named else None
    elif isinstance(node, cst.List):
        inner = node.elements[0].value if len(node.elements) == 1 else None
    return inner is not None and _whole(script, inner, function, steps - 1)
