"""Whether something may still use the model under an adapter after the adapter was attached.

peft puts an adapter into the layers of the base, so such a use gets the adapter's answers. Where in
doubt the answer is yes: the rewrite then does what peft did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import libcst as cst

from codemods.facts.load_targets import target_of
from codemods.script.looking import Looking
from codemods.script.script import Script
from lint_rules._flow.values.events import AdapterAttach, ModelLoad
from lint_rules._flow.values.syntax import dotted

_HARMLESS_CALLS = ("print", "len", "type", "str", "repr", "id", "isinstance", "hasattr")
_Kind = Literal["attribute", "gone", "store", "value"]


@dataclass(frozen=True, slots=True)
class _Use:
    """One occurrence of the base's name: `gone` cannot matter after, `attribute` makes no alias."""

    node: cst.Name
    kind: _Kind


def base_is_seen(script: Script, attach: AdapterAttach) -> bool:
    """Whether the base may be used by some name after the adapter was attached to it."""
    model = attach.args.get("model", 0)
    if model is None or model.expression is None:
        return True
    base = model.expression
    load = script.flow.event_at(attach.model.origin, ModelLoad)
    if load is None:
        return True
    if base is load.node:
        return False
    target = target_of(script, load)
    kept = target is not None and not target.text.isidentifier()
    if kept and target is not None and target.text != script.code(base):
        return True  # an attribute or a member holds it as well
    if isinstance(base, cst.Name):
        return _name_is_seen(script, attach, base.value)
    return not _replaces(script, attach, script.code(base))


def _replaces(script: Script, attach: AdapterAttach, base: str) -> bool:
    """`model = PeftModel.from_pretrained(model, …)`: nothing finds the base by its name any more."""
    line = attach.place.line
    only = line.body[0] if line is not None and len(line.body) == 1 else None
    if not isinstance(only, cst.Assign):
        return False
    return any(script.code(target.target) == base for target in only.targets)


def _name_is_seen(script: Script, attach: AdapterAttach, name: str) -> bool:
    function = attach.place.function
    if function is not None and (
        _is_parameter(function, name) or not script.stores_of(name, function)
    ):
        return True
    visitor = _Uses(name)
    (script.module if function is None else function).visit(visitor)
    replaced = _replaces(script, attach, name)
    own = script.span(attach.node)
    loops = [p for p in attach.place.parents if isinstance(p, (cst.For, cst.While))]
    loops = [p for p in loops if not _holds(script, p, attach.model.origin)]
    for use in visitor.found:
        start = script.span(use.node).start
        if use.kind in ("gone", "store") or own.start <= start < own.end:
            continue
        again = any(_holds(script, loop, use.node) for loop in loops)
        inside = _in_function(script, use.node, visitor.functions)
        after = start > own.end or again or inside
        if after and not replaced:  # a replaced name leads to the adapter wherever it is read
            return True
        if not after and use.kind == "value" and not _is_other_branch(script, attach, use.node):
            return True
    return False


def _is_parameter(function: cst.FunctionDef, name: str) -> bool:
    params = function.params
    every = (*params.posonly_params, *params.params, *params.kwonly_params)
    return any(parameter.name.value == name for parameter in every)


def _in_function(script: Script, node: cst.CSTNode, functions: Sequence[cst.CSTNode]) -> bool:
    return any(_holds(script, function, node) for function in functions)


def _is_other_branch(script: Script, attach: AdapterAttach, node: cst.CSTNode) -> bool:
    """Whether one `if` holds the attach in one of its branches and the node in the other."""
    for parent in attach.place.parents:
        if isinstance(parent, cst.If) and parent.orelse is not None:
            here = _holds(script, parent.body, attach.node)
            there = _holds(script, parent.orelse if here else parent.body, node)
            if there and _holds(script, parent, node):
                return True
    return False


def _holds(script: Script, outer: cst.CSTNode, inner: cst.CSTNode | None) -> bool:
    if inner is None:
        return False
    a, b = script.span(outer), script.span(inner)
    return a.start <= b.start and b.end <= a.end


class _Uses(Looking):
    """The uses of one name below a function or module, and the functions defined there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.found: list[_Use] = []
        self.functions: list[cst.CSTNode] = []
        self._kinds: dict[cst.CSTNode, _Kind] = {}
        self._depth = 0

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        if self._depth:
            self.functions.append(node)
        self._depth += 1

    def leave_FunctionDef(self, original_node: cst.FunctionDef) -> None:  # noqa: ARG002
        self._depth -= 1

    def visit_Module(self, node: cst.Module) -> None:  # noqa: ARG002
        self._depth = 1

    def visit_Lambda(self, node: cst.Lambda) -> None:
        self.functions.append(node)

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        self._mark(node.value, "attribute")
        node.value.visit(self)
        return False

    def visit_Assign(self, node: cst.Assign) -> None:
        # `m = base.eval()` is the base by another name
        value = node.value
        while isinstance(value, cst.Call) and isinstance(value.func, cst.Attribute):
            value = value.func.value
        again = [dotted(target.target) for target in node.targets] == [self.name]
        if value is not node.value and not again:
            self._mark(value, "value")
        if again and isinstance(node.value, cst.Call):
            # `model = PeftModel.from_pretrained(model, …)`: by this name, only the result goes on
            for arg in node.value.args:
                self._mark(arg.value, "attribute")

    def visit_Call(self, node: cst.Call) -> None:
        if isinstance(node.func, cst.Name) and node.func.value in _HARMLESS_CALLS:
            for arg in node.args:
                self._mark(arg.value, "attribute")

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def visit_Return(self, node: cst.Return) -> None:
        # before the attach it never comes to it; after it, it is the base that leaves
        self._mark(node.value, "attribute")
        for element in node.value.elements if isinstance(node.value, cst.Tuple) else ():
            self._mark(element.value, "attribute")

    def visit_Comparison(self, node: cst.Comparison) -> None:
        self._mark(node.left, "attribute")

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        self._store(node.target)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._store(node.target)

    def visit_For(self, node: cst.For) -> None:
        self._store(node.target)

    def visit_Del(self, node: cst.Del) -> None:
        self._mark(node.target, "gone")
        for element in node.target.elements if isinstance(node.target, cst.Tuple) else ():
            self._mark(element.value, "gone")

    def visit_Name(self, node: cst.Name) -> None:
        if node.value == self.name:
            self.found.append(_Use(node, self._kinds.get(node, "value")))

    def _store(self, target: cst.CSTNode) -> None:
        if isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._store(element.value)
        elif isinstance(target, cst.Name):
            self._mark(target, "store")

    def _mark(self, node: cst.CSTNode | None, kind: _Kind) -> None:
        if isinstance(node, cst.Name):
            self._kinds.setdefault(node, kind)
