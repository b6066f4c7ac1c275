"""Whether the ids that a call of `generate` gets are still those that a tokenizer call gave."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from codemods.plan.sites import CannotRewrite
from codemods.script.looking import Looking
from codemods.script.script import Script
from lint_rules._flow.values.events import Encode, Generate
from lint_rules._flow.values.syntax import dotted

_MOST_STEPS = 20
# Keywords of `generate` that bring the prompt.
_PROMPT = ("input_ids", "inputs")
# Entries whose loss or change moves no id.
_BESIDE = ("token_type_ids", "offset_mapping", "overflow_to_sample_mapping", "length")
_METHODS = ("generate", "__call__", "encode", "encode_plus", "batch_encode_plus", "from_pretrained")
_BINDS = ("partial", "getattr", "methodcaller", "attrgetter", "wraps")
_Function = cst.FunctionDef | None
_PART = "it generates from a part of what was tokenised"
_OTHER = "line {row} changes the ids between their tokenisation and the call"


def refuse_changed_ids(script: Script, call: Generate) -> None:
    """Raise CannotRewrite if a part of the ids is taken, or some are put in their place, on the way to a call."""
    given = [*call.args.positional[:1], *call.args.spread]
    given += [one for name, one in call.args.keywords.items() if name in _PROMPT]
    for one in given:
        if one.expression is not None:
            _refuse(script, one.expression, call.place.function, _MOST_STEPS)


def refuse_bound(script: Script, call: cst.Call) -> None:
    """Raise CannotRewrite if what is called is a name for a method, or for one with arguments of its own."""
    if not isinstance(call.func, cst.Name):
        return
    name = call.func.value
    for function in (None, *script.look(_Functions).found.values()):
        for value in script.assigned_values(name, function):
            called = dotted(value.func) or "" if isinstance(value, cst.Call) else ""
            bound = isinstance(value, cst.Attribute) and value.attr.value in _METHODS
            if bound or called.rpartition(".")[2] in _BINDS:
                raise CannotRewrite(
                    f"`{name}` stands for a call, perhaps with arguments of its own"
                )


def _refuse(script: Script, node: cst.BaseExpression, function: _Function, steps: int) -> None:
    """Follows an expression back to the tokenizer call; what is not known to change ids passes."""
    if steps == 0 or script.flow.event_at(node, Encode) is not None:
        return
    if isinstance(node, cst.Name):
        scope = script.home_of(node.value, function)
        _refuse_stores(script, node.value, scope, steps)
        for value in script.assigned_values(node.value, scope):
            if not (isinstance(value, cst.Name) and value.value == node.value):
                _refuse(script, value, scope, steps - 1)
        return
    if isinstance(node, cst.Subscript) and any(map(_is_cut, node.slice)):
        raise CannotRewrite(_PART)
    for inner in _inner(node):
        _refuse(script, inner, function, steps - 1)
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Name):
        _refuse_helper(script, node.func.value, steps)


def _is_cut(element: cst.SubscriptElement) -> bool:
    part = element.slice
    return isinstance(part, cst.Slice) and (part.lower is not None or part.upper is not None)


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
        if isinstance(node.func, cst.Attribute):
            yield node.func.value
        yield from (arg.value for arg in node.args)


def _refuse_helper(script: Script, name: str, steps: int) -> None:
    """A function of the script that gives ids on, or tokenises itself."""
    found = script.look(_Functions).found.get(name)
    if found is None:
        return
    for returned in _returns(found):
        _refuse(script, returned, found, steps - 1)


def _refuse_stores(script: Script, name: str, scope: _Function, steps: int) -> None:
    """Parts of a name's value that are set: the whole of an entry may come from elsewhere, a token may not."""
    for store in script.look(_Stores).found.get(name, ()):
        inside = script.span(store.target)
        if scope is not None:
            own = script.span(scope)
            if not own.start <= inside.start < own.end:
                continue
        if store.key in _BESIDE:
            continue
        if store.value is None or store.key is None:
            raise CannotRewrite(_OTHER.format(row=script.line_of(store.target)))
        _refuse(script, store.value, scope, steps - 1)


class _Store:
    """`NAME["KEY"] = VALUE`; key or value are None where it is anything else that is set."""

    def __init__(
        self, target: cst.BaseExpression, key: str | None, value: cst.BaseExpression | None
    ) -> None:
        self.target, self.key, self.value = target, key, value


class _Functions(Looking):
    """The functions of a module by name."""

    def __init__(self) -> None:
        self.found: dict[str, cst.FunctionDef] = {}

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self.found[node.name.value] = node


class _Returned(Looking):
    def __init__(self) -> None:
        self.found: list[cst.BaseExpression] = []

    def visit_Return(self, node: cst.Return) -> None:
        if node.value is not None:
            self.found.append(node.value)


def _returns(function: cst.FunctionDef) -> list[cst.BaseExpression]:
    visitor = _Returned()
    function.body.visit(visitor)
    return visitor.found


class _Stores(Looking):
    """What is set in what a name holds, by the name."""

    def __init__(self) -> None:
        self.found: dict[str, list[_Store]] = {}

    def visit_Assign(self, node: cst.Assign) -> None:
        for one in node.targets:
            self._tell(one.target, node.value)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._tell(node.target, None)

    def visit_Expr(self, node: cst.Expr) -> None:
        """`ids.fill_(0)`: methods that change a tensor where it lies end in a line."""
        call = node.value
        if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute):
            method = call.func.attr.value
            if method.endswith("_") and not method.endswith("__"):
                self._put(call.func.value, _Store(call, None, None))

    def _tell(self, target: cst.BaseExpression, value: cst.BaseExpression | None) -> None:
        if isinstance(target, cst.Attribute) and target.attr.value in _PROMPT:
            self._put(target.value, _Store(target, target.attr.value, value))
        elif isinstance(target, cst.Subscript):
            index = target.slice[0].slice if len(target.slice) == 1 else None
            text = index.value if isinstance(index, cst.Index) else None
            key = text.evaluated_value if isinstance(text, cst.SimpleString) else None
            named = isinstance(target.value, cst.Name) and isinstance(key, str)
            self._put(target.value, _Store(target, str(key) if named else None, value))

    def _put(self, base: cst.BaseExpression, store: _Store) -> None:
        while isinstance(base, (cst.Subscript, cst.Attribute)):
            base = base.value
        name = dotted(base)
        if name is not None:
            self.found.setdefault(name, []).append(store)
