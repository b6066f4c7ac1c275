"""Whether the ids that a call of a model gets are still those that a tokenizer call gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import libcst as cst

from codemods.facts.id_changes import (
    Assigned,
    Stores,
    bound_to,
    called_name,
    given_to,
    is_value,
    kept_elsewhere,
)
from codemods.plan.sites import CannotRewrite
from codemods.script.definitions import Functions, returned
from codemods.script.script import Script
from lint_rules._flow.values.events import Decode, Encode, Forward, Generate
from lint_rules._flow.values.joins import Encoded, first
from lint_rules._flow.values.syntax import dotted
from lint_rules._questions.reach import nodes_in

_MOST_STEPS = 20
# Keywords that bring the prompt.
_PROMPT = ("input_ids", "inputs")
# Those of them that put whole parts, rows or copies of rows together.
_JOINS = frozenset(
    ["cat", "concat", "hstack", "stack", "vstack", "repeat_interleave", "expand", "expand_as"]
)
# Functions that choose tokens by their scores.
_PICKS = frozenset(["argmax", "argsort", "topk", "multinomial"])
# What a tokenizer gives and a model takes.
_IDS = (*_PROMPT, "attention_mask")
# Functions and methods that leave a mask as it is.
_KEEPS = frozenset(
    [
        *("to", "cuda", "cpu", "long", "int", "bool", "clone", "contiguous", "detach", "tensor"),
        *("as_tensor", "LongTensor", "squeeze", "unsqueeze", "asarray", "array"),
    ]
)
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
# Functions and methods that only look at what they get.
_READS = frozenset(
    [
        *("print", "len", "str", "repr", "type", "isinstance", "dict", "list", "tuple", "zip"),
        *("enumerate", "range", "int", "float", "min", "max", "sum", "format", "append", "write"),
        *("info", "debug", "warning", "error", "decode", "batch_decode", "convert_ids_to_tokens"),
        *("tolist", "any", "all", "BatchEncoding", "generate", "items", "to", "dump", "dumps"),
        "log",
    ]
)
# Modules whose functions give on what they get.
_MODULES = ("torch", "np", "numpy", "transformers", "copy", "F", "json", "logging", "logger")
_METHODS = ("generate", "__call__", "encode", "encode_plus", "batch_encode_plus", "from_pretrained")
_BINDS = ("partial", "getattr", "methodcaller", "attrgetter", "wraps")
_Function = cst.FunctionDef | None
_PART = "it generates from a part of what was tokenised"
_ENTRY = "line {row} puts `{key}` among what the call is given"
_OTHER = "line {row} changes the ids between their tokenisation and the call"


def refuse_changed_ids(script: Script, call: Generate | Forward) -> None:
    """Raise CannotRewrite if a part of the ids is taken, or some are put in their place, on the way to a call."""
    _follow(script, call, frozenset())


def _follow(script: Script, call: Generate | Forward, passes: frozenset[str]) -> None:
    given = list(call.args.positional[:1])
    given += [one for one in call.args.spread if first(one.value, Encoded) is not None]
    given += [one for name, one in call.args.keywords.items() if name in _PROMPT]
    spread = isinstance(call, Generate) and bool(call.args.spread)
    way = _Way(script, passes, spread=spread)
    for one in given:
        if one.expression is not None:
            way.follow(one.expression, call.place.function, _MOST_STEPS)
    way.refuse_aliases()
    _refuse_changed_mask(script, call, passes)


def _refuse_changed_mask(script: Script, call: Generate | Forward, passes: frozenset[str]) -> None:
    mask = call.args.keywords.get("attention_mask")
    if mask is None or mask.expression is None:
        return
    way = _Way(script, passes)
    try:
        way.follow(mask.expression, call.place.function, _MOST_STEPS)
        way.refuse_aliases()
    except CannotRewrite as reason:
        if str(reason) != _PART:
            raise CannotRewrite("its attention mask is changed by hand") from None


def joins_ids(script: Script, call: Generate | Forward) -> bool:
    """Whether ids are put together on the way to a call; a part of them is none that is.

    Raises:
        CannotRewrite: They are changed in another way.
    """
    try:
        refuse_changed_ids(script, call)
    except CannotRewrite as reason:
        if str(reason) == _PART:
            return False
    else:
        return False
    _follow(script, call, _JOINS)
    return True


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
    for target, value in script.look(Assigned).found:
        bound = isinstance(value, cst.Attribute) and value.attr.value in _METHODS
        if target == name and (bound or called_name(value) in _BINDS):
            raise CannotRewrite(f"`{name}` stands for a call, perhaps with arguments of its own")


class _Way:
    """Follows expressions back to a tokenizer call; what is not known to change ids passes.

    Args:
        script: The script.
        passes: Functions whose changes pass, and parts of ids beside them; empty for none.
        spread: Whether all that a dict holds comes to `generate`.
    """

    def __init__(self, script: Script, passes: frozenset[str], *, spread: bool = False) -> None:
        self._script = script
        self._spread = spread
        self._passes = passes
        self._names: dict[str, _Function] = {}
        self._followed: dict[tuple[cst.CSTNode, _Function], int] = {}

    def follow(self, node: cst.BaseExpression, function: _Function, steps: int) -> None:
        script = self._script
        if steps == 0 or script.flow.event_at(node, Encode) is not None:
            return
        if self._followed.get((node, function), 0) >= steps:
            return  # names that are set again and again branch at every step
        self._followed[node, function] = steps
        if self._passes and (called_name(node) in _PICKS or self._answers(node)):
            return  # tokens that a model gave are joined as they are
        if isinstance(node, cst.Name):
            if node.value in _MODULES:
                return
            self._name(node.value, script.home_of(node.value, function), steps)
            return
        if isinstance(node, cst.Subscript) and any(map(_is_cut, node.slice)) and not self._passes:
            raise CannotRewrite(_PART)
        rows = isinstance(node, cst.List) and len(node.elements) != 1 and not self._passes
        made = isinstance(node, (cst.BinaryOperation, cst.ListComp, cst.GeneratorExp)) or rows
        if made or called_name(node) in _CHANGES - self._passes:
            raise CannotRewrite(_OTHER.format(row=script.line_of(node)))
        if isinstance(node, cst.Call) and not self._passes and is_value(script, node.func):
            raise CannotRewrite(_OTHER.format(row=script.line_of(node)))
        helper = self._helper(node)
        if helper is not None:
            for value in returned(helper):
                if value is not None:
                    self.follow(value, helper, steps - 1)
            if any(self._within(one.node, helper) for one in script.flow.events(Encode)):
                return  # what it gets is text
        for inner in _inner(node, helped=helper is not None):
            self.follow(inner, function, steps - 1)

    def _answers(self, node: cst.BaseExpression) -> bool:
        """Whether a model is called."""
        return any(self._script.flow.event_at(node, kind) for kind in (Forward, Generate))

    def _helper(self, node: cst.BaseExpression) -> cst.FunctionDef | None:
        """The function or method of the script that a call calls, by its name."""
        name = called_name(node)
        if name is None or _is_of_module(node):
            return None
        return self._script.look(Functions).named.get(name)

    def _name(self, name: str, scope: _Function, steps: int) -> None:
        self._names[name] = scope
        for store in self._stores(name, scope):
            if store.key in _BESIDE:
                continue
            line = self._script.line_of(store.target)
            if store.value is None or store.key is None:
                raise CannotRewrite(_OTHER.format(row=line))
            if self._spread and store.key not in _IDS:
                raise CannotRewrite(_ENTRY.format(row=line, key=store.key))
            if store.key in _IDS and not self._is_of(store, name, scope):
                raise CannotRewrite(_OTHER.format(row=line))
            self.follow(store.value, scope, steps - 1)
        for value in self._script.assigned_values(name, scope):
            if not (isinstance(value, cst.Name) and value.value == name):
                self.follow(value, scope, steps - 1)

    def _is_of(self, store: Stores.Store, name: str, scope: _Function) -> bool:
        """Whether what is put into an encoding is made of what it holds, or of what a tokenizer gave."""
        value = store.value
        if value is None or not self._made_of(value, name, scope, _MOST_STEPS // 4):
            return False
        if store.key != "attention_mask":
            return True
        calls = [one for one in nodes_in(value) if isinstance(one, cst.Call)]
        return all(
            called_name(one) in _KEEPS or self._script.flow.event_at(one, Encode) is not None
            for one in calls
        )

    def _made_of(self, value: cst.CSTNode, name: str, scope: _Function, steps: int) -> bool:
        for part in nodes_in(value):
            if self._script.flow.event_at(part, Encode) is not None:
                return True
            if isinstance(part, cst.Name) and part.value == name:
                return True
            values = (
                self._script.assigned_values(part.value, scope)
                if isinstance(part, cst.Name) and steps
                else []
            )
            if any(self._made_of(one, name, scope, steps - 1) for one in values):
                return True
        return False

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
        names = self._with_views(self._names)
        kept = script.once(kept_elsewhere)
        for name, scope in names.items():
            node = next((one for one in kept.get(name, ()) if self._within(one, scope)), None)
            if node is not None:
                raise CannotRewrite(_OTHER.format(row=script.line_of(node)))
        for target in names.keys() - self._names.keys():
            for store in self._stores(target, names[target]):
                raise CannotRewrite(_OTHER.format(row=script.line_of(store.target)))
        for call, held in script.once(given_to):
            given = held & names.keys()
            if (
                not given
                or not any(self._within(call, names[name]) for name in given)
                or self._reads(call)
            ):
                continue
            helper = self._helper(call)
            if helper is None or self._sets(helper):
                raise CannotRewrite(_OTHER.format(row=script.line_of(call)))

    def _sets(self, helper: cst.FunctionDef) -> bool:
        """Whether a function sets something in what it gets."""
        own: dict[str, _Function] = {one.name.value: helper for one in helper.params.params}
        return any(self._stores(name, helper) for name in self._with_views(own))

    def _with_views(self, names: Mapping[str, _Function]) -> dict[str, _Function]:
        """Names, and those that are bound to a part or a view of what one of them holds."""
        found = dict(names)
        bound = self._script.once(bound_to)
        waiting = list(found)
        while waiting:
            root = waiting.pop()
            for target, value in bound.get(root, ()):
                if target not in found and self._within(value, found[root]):
                    found[target] = found[root]
                    waiting.append(target)
        return found

    def _reads(self, call: cst.Call) -> bool:
        """Whether a call certainly leaves the ids alone that it gets."""
        flow = self._script.flow
        if any(flow.event_at(call, kind) for kind in (Encode, Decode, Forward, Generate)):
            return True
        return called_name(call) in _READS or _is_of_module(call)


def _is_cut(element: cst.SubscriptElement) -> bool:
    part = element.slice
    if isinstance(part, cst.Index):  # one row of several, if it is no key
        plain = (cst.SimpleString, cst.Integer, cst.UnaryOperation, cst.Ellipsis)
        named = isinstance(part.value, cst.Name) and part.value.value in (
            "None",
            "k",
            "key",
            "name",
        )
        return not (isinstance(part.value, plain) or named)
    return isinstance(part, cst.Slice) and any((part.lower, part.upper, part.step))


def _is_of_module(node: cst.BaseExpression) -> bool:
    """Whether a call is one of a library's function, such as `torch.cat(…)`."""
    function = node.func if isinstance(node, cst.Call) else None
    return isinstance(function, cst.Attribute) and (
        (dotted(function) or "").partition(".")[0] in _MODULES
    )


def _inner(node: cst.BaseExpression, *, helped: bool) -> Iterator[cst.BaseExpression]:
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
        method = isinstance(node.func, cst.Attribute) and not helped
        if isinstance(node.func, cst.Attribute):
            yield node.func.value
        if not method or (dotted(node.func) or "").partition(".")[0] in _MODULES:
            yield from (arg.value for arg in node.args)
