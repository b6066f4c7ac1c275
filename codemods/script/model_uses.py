"""Calls of a script by their name, and which of them what is loaded may reach."""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst

from codemods.script.looking import Looking
from codemods.script.script import Script
from lint_rules._flow.values.events import (
    Decode,
    Encode,
    Forward,
    Generate,
    ModelLoad,
    TokenizerLoad,
)
from lint_rules._flow.values.joins import CausalLM, Constant, Method, Value, first
from lint_rules._questions.reach import Reach

# What a model's answer holds.
_ANSWERS = frozenset(
    ["logits", "loss", "hidden_states", "last_hidden_state", "attentions", "scores", "sequences"]
)


def reaches(script: Script, load: ModelLoad | TokenizerLoad, node: cst.CSTNode) -> bool:
    """Whether what a load gives may be what an expression names."""
    found = script.reach(
        f"load {script.span(load.node).start}",
        lambda module: Reach(
            module, lambda n: n is load.node, ways=script.ways(module), seeds=[load.node]
        ),
    )
    return found.touches(node)


def holds(script: Script, load: ModelLoad | TokenizerLoad, node: cst.CSTNode) -> bool:
    """Whether what a load gives may be in what an expression gives, which scores, ids and texts of it are not."""
    found = script.reach(
        f"held {script.span(load.node).start}",
        lambda module: Reach(
            module,
            lambda n: n is load.node,
            ways=script.ways(module),
            seeds=[load.node],
            ends=script.once(_gives_answers),
        ),
    )
    return found.touches(node)


def _gives_answers(script: Script) -> Callable[[cst.CSTNode], bool]:
    events = (Forward, Generate, Encode, Decode)
    calls = frozenset(id(event.node) for kind in events for event in script.flow.events(kind))

    def ends(node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Attribute):
            return node.attr.value in _ANSWERS
        return id(node) in calls

    return ends


def reaches_given(script: Script, node: cst.CSTNode) -> bool:
    """Whether a model that another file of the run gives a function may be what an expression names."""
    names = [
        name
        for given in script.given.values()
        for name, value in given.items()
        if first(value, CausalLM) is not None
    ]
    found = script.reach(
        "given",
        lambda module: Reach(
            module, lambda _: False, ways=script.ways(module), seeds=(), names=names
        ),
    )
    return found.touches(node)


def origins_of(script: Script, call: Generate | Forward) -> frozenset[cst.CSTNode]:
    """The loads that the model of a call may come from, over all ways to it."""
    models = (_model_of(option) for option in script.flow.called_at(call.node))
    found = {call.model.origin, *(model.origin for model in models if model is not None)}
    return frozenset(origin for origin in found if origin is not None)


def may_be_another(script: Script, call: Generate) -> bool:
    """Whether what generates at a call may also be something that is no model, such as an object of the run's own."""
    return any(
        _model_of(option) is None and not isinstance(option, Constant)
        for option in script.flow.called_at(call.node)
    )


def _model_of(called: Value) -> CausalLM | None:
    model = called.receiver if isinstance(called, Method) else called
    return model if isinstance(model, CausalLM) else None


class Calls(Looking):
    """The calls of methods of one name; of anything for None."""

    def __init__(self, name: str | None = "generate") -> None:
        self.name = name
        self.found: list[cst.Call] = []
        self.defines = False

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        """Notes a definition of the name."""
        self.defines = self.defines or node.name.value == self.name

    def visit_Call(self, node: cst.Call) -> None:
        """Collects a call."""
        function = node.func
        named = isinstance(function, cst.Attribute) and function.attr.value == self.name
        if named or self.name is None:
            self.found.append(node)
