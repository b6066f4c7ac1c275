"""Whether the ids that a call of a model gets are still those that a tokenizer call gave."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from codemods.facts.id_changes import Assigned, Functions, Returned, Stores
from codemods.plan.sites import CannotRewrite
from codemods.script.script import Script
from lint_rules._flow.values.events import Encode, Forward, Generate
from lint_rules._flow.values.joins import Encoded, first
from lint_rules._flow.values.syntax import dotted

_MOST_STEPS = 20
# Keywords that bring the prompt.
_PROMPT = ("input_ids", "inputs")
# Entries whose loss or change moves no id.
_BESIDE = ("token_type_ids", "offset_mapping", "overflow_to_sample_mapping", "length")
# Methods and functions that give other ids, or other rows of them.
_CHANGES = frozenset(
    [
        *("repeat", "expand", "expand_as", "repeat_interleave", "tile", "flip", "fliplr", "roll"),
        *("narrow", "index_select", "masked_select", "masked_fill", "scatter", "gather", "take"),
        *("where", "split", "chunk", "unbind", "clamp", "add", "sub", "mul", "pad", "cat"),
        *("concat", "stack", "hstack", "vstack", "sorted", "reversed", "sort", "unique"),
        *("insert", "append", "extend", "t", "transpose", "permute"),
    ]
)
# Modules whose functions give on what they get.
_MODULES = ("torch", "np", "numpy", "transformers", "copy")
_METHODS = ("generate", "__call__", "encode", "encode_plus", "batch_encode_plus", "from_pretrained")
_BINDS = ("partial", "getattr", "methodcaller", "attrgetter", "wraps")
_Function = cst.FunctionDef | None
_PART = "it generates from a part of what was tokenised"
_OTHER = "line {row} changes the ids between their tokenisation and the call"


def refuse_changed_ids(script: Script, call: Generate | Forward) -> None:
    """Raise CannotRewrite if a part of the ids is taken, or some are put in their place, on the way to a call."""
    given = list(call.args.positional[:1])
    given += [one for one in call.args.spread if first(one.value, Encoded) is not None]
    given += [one for name, one in call.args.keywords.items() if name in _PROMPT]
    way = _Way(script)
    for one in given:
        if one.expression is not None:
            way.follow(one.expression, call.place.function, _MOST_STEPS)
    way.refuse_aliases()


def changes_ids(script: Script, call: Generate | Forward) -> bool:
    """Whether the ids that a call gets may not be all that a tokenizer call gave."""
    try:
        refuse_changed_ids(script, call)
    except CannotRewrite:
        return True
    return False


def refuse_bound(script: Script, call: cst.Call) -> None:
    """Raise CannotRewrite if what is called is a name for a method, or for one with arguments of its own."""
    if not isinstance(call.func, cst.Name):
        return
    name = call.func.value
    for function in (None, *script.look(Functions).found.values()):
        for value in script.assigned_values(name, function):
            called = dotted(value.func) or "" if isinstance(value, cst.Call) else ""
            bound = isinstance(value, cst.Attribute) and value.attr.value in _METHODS
            if bound or called.rpartition(".")[2] in _BINDS:
                raise CannotRewrite(
                    f"`{name}` stands for a call, perhaps with arguments of its own"
                )


class _Way:
    """Follows expressions back to a tokenizer call; what is not known to change ids passes."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._names: dict[str, _Function] = {}

    def follow(self, node: cst.BaseExpression, function: _Function, steps: int) -> None:
        script = self._script
        if steps == 0 or script.flow.event_at(node, Encode) is not None:
            return
        if isinstance(node, cst.Name):
            self._name(node.value, script.home_of(node.value, function), steps)
            return
        if isinstance(node, cst.Subscript) and any(map(_is_cut, node.slice)):
            raise CannotRewrite(_PART)
        if isinstance(node, cst.BinaryOperation) or _called(node) in _CHANGES:
            raise CannotRewrite(_OTHER.format(row=script.line_of(node)))
        for inner in _inner(node):
            self.follow(inner, function, steps - 1)
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Name):
            helper = script.look(Functions).found.get(node.func.value)
            for returned in () if helper is None else _returns(helper):
                self.follow(returned, helper, steps - 1)

    def _name(self, name: str, scope: _Function, steps: int) -> None:
        self._names[name] = scope
        for store in self._stores(name, scope):
            if store.key in _BESIDE:
                continue
            if store.value is None or store.key is None:
                raise CannotRewrite(_OTHER.format(row=self._script.line_of(store.target)))
            self.follow(store.value, scope, steps - 1)
        for value in self._script.assigned_values(name, scope):
            if not (isinstance(value, cst.Name) and value.value == name):
                self.follow(value, scope, steps - 1)

    def _stores(self, name: str, scope: _Function) -> list[Stores.Store]:
        """The parts of a name's value that are set in its function."""
        found = self._script.look(Stores).found.get(name, [])
        return [store for store in found if self._within(store.target, scope)]

    def _within(self, node: cst.CSTNode, scope: _Function) -> bool:
        if scope is None:
            return True
        own, place = self._script.span(scope), self._script.span(node)
        return own.start <= place.start < own.end

    def refuse_aliases(self) -> None:
        """Raise if what the followed names hold is set through another name, or by a function that gets it."""
        script = self._script
        names = dict(self._names)
        for target, value in script.look(Assigned).found:
            root = _root(value)
            if root in names and target not in names and self._within(value, names[root]):
                names[target] = names[root]
                for store in self._stores(target, names[root]):
                    raise CannotRewrite(_OTHER.format(row=script.line_of(store.target)))
        functions = script.look(Functions)
        for call in functions.calls:
            helper = (
                functions.found.get(call.func.value) if isinstance(call.func, cst.Name) else None
            )
            if helper is None or not any(_root(arg.value) in names for arg in call.args):
                continue
            for param in helper.params.params:
                if self._stores(param.name.value, helper):
                    raise CannotRewrite(_OTHER.format(row=script.line_of(call)))


def _is_cut(element: cst.SubscriptElement) -> bool:
    part = element.slice
    return isinstance(part, cst.Slice) and (part.lower is not None or part.upper is not None)


def _called(node: cst.BaseExpression) -> str | None:
    """The last part of what a call calls."""
    if not isinstance(node, cst.Call):
        return None
    function = node.func
    if isinstance(function, cst.Attribute):
        return function.attr.value
    return function.value if isinstance(function, cst.Name) else None


def _root(node: cst.BaseExpression) -> str | None:
    """The name whose value, or a part of it, an expression is."""
    while isinstance(node, (cst.Subscript, cst.Attribute)):
        node = node.value
    return node.value if isinstance(node, cst.Name) else None


def _inner(node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """The expressions that ids come through."""
    if isinstance(node, (cst.Attribute, cst.Subscript)):
        yield node.value
    elif isinstance(node, cst.DictComp):
        yield node.value
        yield node.for_in.iter
    elif isinstance(node, (cst.Dict, cst.List)):
        yield from (one.value for one in node.elements)
    elif isinstance(node, cst.IfExp):
        yield from (node.body, node.orelse)
    elif isinstance(node, cst.Call):
        method = isinstance(node.func, cst.Attribute)
        if isinstance(node.func, cst.Attribute):
            yield node.func.value
        if not method or (dotted(node.func) or "").partition(".")[0] in _MODULES:
            yield from (arg.value for arg in node.args)


def _returns(function: cst.FunctionDef) -> list[cst.BaseExpression]:
    visitor = Returned()
    function.body.visit(visitor)
    return visitor.found
