"""A model that is put into training mode and generates so: the guard generates in evaluation mode."""

from __future__ import annotations

import re

import libcst as cst

from codemods.plan.sites import Note
from codemods.script.closures import imports_of
from codemods.script.foreign import foreign_loads
from codemods.script.looking import Looking
from codemods.script.script import Script
from codemods.texts.encoding import receiver
from lint_rules._flow.values.events import Generate
from lint_rules._flow.values.syntax import dotted

_THERE = (
    "the file that loads the model may put it into training mode; guarded generation is in evaluation "
    "mode, without dropout"
)
_TRAINS = re.compile(r"\.train\(\s*(True\s*)?\)")
_UNLESS = "where the model has no dropout"


def mode_note(script: Script, generate: Generate) -> list[Note]:
    """What becomes of a training mode that may be in force at a call: no `model.eval()` undoes it before."""
    name = _last(receiver(generate.node))
    visitor = script.look(_Modes, name)
    if not visitor.every and generate.model.origin in foreign_loads(script):
        return (
            [Note("changed", _THERE, _UNLESS, beyond="always")]
            if script.once(_trained_elsewhere)
            else []
        )
    if not visitor.trained:
        return []
    start = script.span(generate.node).start
    before = [call for call in visitor.every if script.span(call).end <= start]
    said = {id(call) for call in visitor.trained}
    last = next(
        (call[-1] for call in (visitor.every, before) if call and id(call[-1]) in said), None
    )
    if last is None:
        return []
    line, puts = script.line_of(last), "may put" if id(last) in visitor.others else "puts"
    text = f"line {line} {puts} the model into training mode; guarded generation is in evaluation mode, without dropout"
    return [Note("changed", text, _UNLESS, beyond="always")]


def _trained_elsewhere(script: Script) -> bool:
    """Whether a file of the run that this one imports from puts a model into training mode."""
    modules = imports_of(script).modules
    return any(script.others.mentions(script.path, module, _TRAINS) for module in modules)


class _Modes(Looking):
    """The calls `NAME.train()` and `NAME.eval()`, in the order of the file, and others that may train.

    A call of `train` on anything else may be one on what holds the model, or train it, as a Trainer's;
    `get_peft_model` puts layers with dropout into it that are in training mode.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.every: list[cst.Call] = []
        self.trained: list[cst.Call] = []
        self.others: set[int] = set()

    def visit_Call(self, node: cst.Call) -> None:
        called = dotted(node.func) or ""
        method = node.func.attr.value if isinstance(node.func, cst.Attribute) else called
        if method == "get_peft_model":
            self._put(node, other=True)
        if not isinstance(node.func, cst.Attribute):
            return
        named = _last(node.func.value) == self.name
        off = bool(node.args) and isinstance(node.args[0].value, cst.Name)
        off = off and cst.ensure_type(node.args[0].value, cst.Name).value == "False"
        if method == "train" and not off:
            self._put(node, other=not named)
        elif named and method in ("train", "eval"):
            self.every.append(node)

    def _put(self, node: cst.Call, *, other: bool) -> None:
        self.every.append(node)
        self.trained.append(node)
        if other:
            self.others.add(id(node))


def _last(node: cst.BaseExpression) -> str:
    return (dotted(node) or "").rpartition(".")[2]
