"""Calls that change what a name holds: `rows.append(x)`, `settings.update(…)`."""

from __future__ import annotations

from lint_rules._flow.values.joins import (
    CausalLM,
    Instance,
    Items,
    Mapping,
    Tokenizer,
    element_of,
    first,
    join,
)
from lint_rules._flow.values.scopes import Env
from lint_rules._flow.values.syntax import dotted
from lint_rules._flow.walking.binding import bind_target
from lint_rules._flow.walking.expressions import Evaluator
from lint_rules._light import tree as cst


def mutate(evaluator: Evaluator, call: cst.Call, func: cst.Attribute, env: Env) -> None:
    """`rows.append(x)` and `settings.update(…)` change what the name holds."""
    path = dotted(func.value)
    if path is None or func.attr.value not in ("append", "extend", "add", "update"):
        return
    container = evaluator.evaluate(func.value, env)
    if func.attr.value == "update":
        mapping = first(container, Mapping)
        if mapping is None:
            return
        given = evaluator.calls.arguments(call, env)
        other = first(given.positional[0].value, Mapping) if given.positional else None
        for name, value in () if other is None else other.entries:
            mapping = mapping.put(name, value)
        for name, argument in given.keywords.items():
            mapping = mapping.put(name, argument.value)
        bind_target(evaluator, func.value, mapping, env)
    elif call.args and not isinstance(container, (Tokenizer, CausalLM, Instance)):
        value = evaluator.evaluate(call.args[0].value, env)
        each = element_of(value) if func.attr.value == "extend" else value
        bind_target(evaluator, func.value, Items(join(element_of(container), each)), env)
