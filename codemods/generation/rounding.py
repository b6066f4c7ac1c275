"""Halves that are rounded otherwise: the guard generates with kernels and batches of its own."""

from __future__ import annotations

from codemods.plan.sites import Note
from codemods.script.script import Script
from lint_rules._flow.values.events import Generate, ModelLoad

_ROUNDED = Note(
    "changed",
    "in bfloat16 and float16 the guard's own kernels and batches round otherwise, and of two tokens that are as good "
    "as equal the other may be taken",
    "in float32, and where no two are",
)
_FLOAT32 = frozenset(("torch.float32", "torch.float", "'float32'", '"float32"'))


def rounding_note(script: Script, generate: Generate) -> list[Note]:
    """What becomes of near-ties between tokens; nothing where the model is loaded in float32."""
    load = script.flow.event_at(generate.model.origin, ModelLoad)
    given = () if load is None else map(load.args.keywords.get, ("dtype", "torch_dtype"))
    said = [one.expression for one in given if one is not None and one.expression is not None]
    if any(script.code(expression) in _FLOAT32 for expression in said):
        return []
    return [_ROUNDED]
