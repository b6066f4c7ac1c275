"""What a script does that may change ids where they lie: assignments to parts, and methods that set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from codemods.script.definitions import Functions, given_back
from codemods.script.looking import Looking
from codemods.script.model_uses import Calls
from codemods.script.script import Script
from lint_rules._flow.values.syntax import dotted

_ENTRIES = ("input_ids", "inputs", "attention_mask")
# Methods that set what they are called on, besides those that end in a line.
_SETS = ("update", "clear", "__setitem__", "resize_", "setdefault", "popitem", "pop", "__delitem__")
# Methods that set a list.
_LISTS = ("append", "extend", "insert", "remove", "reverse", "sort")
# Functions that set their first argument.
_SETTERS = frozenset(["copyto", "put", "putmask", "place", "fill_diagonal", "shuffle", "setitem"])
# Methods and functions whose result lies where the ids lie.
_VIEWS = frozenset(
    [
        *("view", "view_as", "reshape", "squeeze", "unsqueeze", "detach", "numpy", "values"),
        *("items", "to", "cpu", "cuda", "long", "int", "unbind", "split", "chunk", "narrow"),
        *("tensor_split", "select", "diagonal", "t", "transpose", "swapaxes", "permute", "expand"),
        *("contiguous", "flatten", "ravel", "unflatten", "type", "get", "__getitem__", "copy"),
        *("requires_grad_", "asarray", "ascontiguousarray", "as_tensor", "from_numpy"),
        *("atleast_2d", "convert_to_tensors", "enumerate", "zip", "list", "tuple", "iter", "next"),
        *("reversed", "map", "filter", "dict", "chain", "islice", "itemgetter", "getattr"),
        *("memoryview", "_values", "index_select"),
    ]
)
_NO_VIEWS = ("shape", "dtype", "device", "ndim", "is_cuda", "nbytes")


class Assigned(Looking):
    """The lines `NAME = …`."""

    def __init__(self) -> None:
        self.found: list[tuple[str, cst.BaseExpression]] = []

    def visit_Assign(self, node: cst.Assign) -> None:
        """`x = …`."""
        for one in node.targets:
            if isinstance(one.target, cst.Name):
                self.found.append((one.target.value, node.value))


class Kept(Looking):
    """Names whose value is put where others may find it: `state["enc"] = enc`, `state.enc = enc`.

    Attributes:
        found: Where it is put, by the name.
        listed: `rows.append(enc)`, with the name of the list.
    """

    def __init__(self) -> None:
        self.found: dict[str, list[cst.CSTNode]] = {}
        self.listed: list[tuple[cst.Call, str, str]] = []

    def visit_Assign(self, node: cst.Assign) -> None:
        """`state["enc"] = enc`."""
        for one in node.targets:
            if isinstance(one.target, (cst.Subscript, cst.Attribute)):
                self._tell(node, node.value, set(roots(one.target)))

    def visit_Call(self, node: cst.Call) -> None:
        """`rows.append(enc)`."""
        if isinstance(node.func, cst.Attribute) and node.func.attr.value in _LISTS:
            into = list(roots(node.func.value))
            given = [name for arg in node.args for name in roots(arg.value)]
            self.listed += [(node, name, one) for one in into for name in given]

    def _tell(self, node: cst.CSTNode, value: cst.BaseExpression, into: set[str]) -> None:
        for name in set(roots(value)) - into:
            self.found.setdefault(name, []).append(node)


class Stores(Looking):
    """What is set in what a name holds, by the name."""

    @dataclass(frozen=True, slots=True)
    class Store:
        """`NAME["KEY"] = VALUE`; key or value are None where it is anything else that is set."""

        target: cst.BaseExpression
        key: str | None
        value: cst.BaseExpression | None

    def __init__(self) -> None:
        self.found: dict[str, list[Stores.Store]] = {}

    def visit_Assign(self, node: cst.Assign) -> None:
        """`x[0] = …`, and `f = x.fill_`, which sets when it is called."""
        for one in node.targets:
            self._tell(one.target, node.value)
        value = node.value
        if isinstance(value, cst.Attribute) and _sets(value.attr.value):
            self._put(value.value, Stores.Store(value, None, None))

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        """`x[0] += 1`, and `x += 1`, which a tensor does in its place."""
        self._tell(node.target, None)
        if isinstance(node.target, cst.Name):
            self._put(node.target, Stores.Store(node.target, None, None))

    def visit_Del(self, node: cst.Del) -> None:
        """`del x[0]`."""
        parts = node.target.elements if isinstance(node.target, cst.Tuple) else [node.target]
        for one in parts:
            self._tell(one if isinstance(one, cst.BaseExpression) else one.value, None)

    def visit_Call(self, node: cst.Call) -> None:
        """`x.fill_(0)`, `torch.Tensor.fill_(x, 0)`, `torch.add(x, 1, out=x)`, `np.put(x, 0, 1)`."""
        method = called_name(node) or ""
        if isinstance(node.func, cst.Attribute) and (_sets(method) or method in _LISTS):
            key = node.args[0].value if method == "pop" and node.args else None
            said = key.evaluated_value if isinstance(key, cst.SimpleString) else None
            taken = str(said) if isinstance(said, str) else None
            self._put(node.func.value, Stores.Store(node, taken, None))
        unbound = (dotted(node.func) or "").startswith("torch.") and _is_inward(method)
        if node.args and (method in _SETTERS or unbound):
            self._put(node.args[0].value, Stores.Store(node, None, None))
        for arg in node.args:
            if arg.keyword is not None and arg.keyword.value == "out":
                self._put(arg.value, Stores.Store(node, None, None))

    def _tell(self, target: cst.BaseExpression, value: cst.BaseExpression | None) -> None:
        if isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._tell(element.value, None)
        elif isinstance(target, cst.Attribute):
            name = target.attr.value
            if name in _ENTRIES:
                self._put(target.value, Stores.Store(target, name, value))
            elif name == "data":
                self._put(target.value, Stores.Store(target, None, None))
        elif isinstance(target, cst.Subscript):
            index = target.slice[0].slice if len(target.slice) == 1 else None
            text = index.value if isinstance(index, cst.Index) else None
            key = text.evaluated_value if isinstance(text, cst.SimpleString) else None
            named = isinstance(target.value, cst.Name) and isinstance(key, str)
            self._put(target.value, Stores.Store(target, str(key) if named else None, value))

    def _put(self, base: cst.BaseExpression, store: Stores.Store) -> None:
        for name in roots(base):
            self.found.setdefault(name, []).append(store)


def _sets(method: str) -> bool:
    """Whether a method of this name sets what it is called on."""
    return method in _SETS or _is_inward(method)


def _is_inward(method: str) -> bool:
    """Whether a method is called as torch calls those that change what they are called on."""
    return method.endswith("_") and not method.endswith("__")


def called_name(node: cst.BaseExpression) -> str | None:
    """The last part of what a call calls; None for what is no call, or of no name."""
    if not isinstance(node, cst.Call):
        return None
    function = node.func
    if isinstance(function, cst.Attribute):
        return function.attr.value
    return function.value if isinstance(function, cst.Name) else None


def roots(node: cst.BaseExpression) -> Iterator[str]:
    """The names of which an expression may give what they hold, a part or a view of it."""
    if isinstance(node, cst.Name):
        yield node.value
    elif isinstance(node, cst.Attribute):
        if node.attr.value not in _NO_VIEWS:
            yield from roots(node.value)
    elif isinstance(node, (cst.Subscript, cst.NamedExpr, cst.StarredElement)):
        yield from roots(node.value)
    elif isinstance(node, cst.Call):
        called = called_name(node)
        if called in _VIEWS:
            if isinstance(node.func, cst.Attribute):
                yield from roots(node.func.value)
            for arg in node.args:
                yield from roots(arg.value)
        elif called is not None:
            yield f"{called}()"  # what a function of the script gives back
    elif isinstance(node, (cst.List, cst.Tuple, cst.Set, cst.Dict)):
        for element in node.elements:
            yield from roots(element.value)
    elif isinstance(node, cst.IfExp):
        yield from roots(node.body)
        yield from roots(node.orelse)
    elif isinstance(node, cst.BooleanOperation):
        yield from roots(node.left)
        yield from roots(node.right)
    elif isinstance(node, (cst.ListComp, cst.GeneratorExp)):
        yield from roots(node.elt)


class Views(Looking):
    """The names that are bound to what an expression gives, in whatever way, with that expression."""

    def __init__(self) -> None:
        self.found: list[tuple[str, cst.BaseExpression]] = []

    def visit_Assign(self, node: cst.Assign) -> None:
        """`x = …`, `a, b = …`."""
        for one in node.targets:
            self._bind(one.target, node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        """`x: T = …`."""
        if node.value is not None:
            self._bind(node.target, node.value)

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:
        """`(x := …)`."""
        self._bind(node.target, node.value)

    def visit_For(self, node: cst.For) -> None:
        """`for x in …:`."""
        self._bind(node.target, node.iter)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        """What a function gives back is what its call is; a default is what its parameter is."""
        self._defaults(node.params)
        self.found += [(f"{node.name.value}()", value) for value in given_back(node)]

    def visit_Lambda(self, node: cst.Lambda) -> None:
        """`lambda x=…: …`."""
        self._defaults(node.params)

    def visit_Match(self, node: cst.Match) -> None:
        """`match x:`, of which the patterns name parts."""
        names = _Captured()
        for case in node.cases:
            case.pattern.visit(names)
        self.found += [(name, node.subject) for name in names.found]

    def _defaults(self, params: cst.Parameters) -> None:
        for one in (*params.params, *params.kwonly_params):
            if one.default is not None:
                self._bind(one.name, one.default)

    def visit_CompFor(self, node: cst.CompFor) -> None:
        """`… for x in …`."""
        self._bind(node.target, node.iter)

    def visit_WithItem(self, node: cst.WithItem) -> None:
        """`with … as x:`."""
        if node.asname is not None:
            self._bind(node.asname.name, node.item)

    def _bind(self, target: cst.BaseExpression, value: cst.BaseExpression) -> None:
        if isinstance(target, cst.Name) and isinstance(value, cst.Lambda):
            self.found.append((f"{target.value}()", value.body))
        elif isinstance(target, cst.Name):
            self.found.append((target.value, value))
        elif isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._bind(element.value, value)


class _Captured(Looking):
    """The names in patterns."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def visit_MatchAs(self, node: cst.MatchAs) -> None:
        if node.name is not None:
            self.found.append(node.name.value)

    def visit_MatchStar(self, node: cst.MatchStar) -> None:
        if node.name is not None:
            self.found.append(node.name.value)


def is_value(script: Script, called: cst.BaseExpression) -> bool:
    """Whether what is called is held by a name, a parameter, an attribute or a table, so that it may be anything."""
    if isinstance(called, (cst.Subscript, cst.Call, cst.Lambda, cst.IfExp)):
        return True
    if isinstance(called, cst.Name):
        return called.value in script.once(_held_names)
    if isinstance(called, cst.Attribute) and dotted(called.value) == "self":
        named = called.attr.value in script.look(Functions).named
        return not named and f"self.{called.attr.value} = " in script.source.text
    return False


def _held_names(script: Script) -> frozenset[str]:
    """The names of variables and parameters, but for those of functions."""
    bound = {target.removesuffix("()") for target, _ in script.look(Views).found}
    for function in script.look(Functions).every:
        bound |= {one.name.value for one in function.params.params}
    return frozenset(bound - script.look(Functions).named.keys())


def bound_to(script: Script) -> dict[str, list[tuple[str, cst.BaseExpression]]]:
    """The names that are bound to what a name holds, by that name."""
    found: dict[str, list[tuple[str, cst.BaseExpression]]] = {}
    for target, value in script.look(Views).found:
        for root in roots(value):
            found.setdefault(root, []).append((target, value))
    return found


def given_to(script: Script) -> list[tuple[cst.Call, frozenset[str]]]:
    """The calls, with the names whose values they are given."""
    calls = script.look(Calls, None).found
    return [
        (one, frozenset(root for arg in one.args for root in _roots(arg.value))) for one in calls
    ]


def _root(node: cst.BaseExpression) -> str | None:
    """The name whose value, or a part of it, an expression is."""
    while isinstance(node, (cst.Subscript, cst.Attribute)):
        node = node.value
    return node.value if isinstance(node, cst.Name) else None


def _roots(node: cst.BaseExpression) -> Iterator[str]:
    """The names whose values are given, as they are or in a collection."""
    if isinstance(node, (cst.List, cst.Tuple, cst.Dict)):
        for one in node.elements:
            yield from _roots(one.value)
    elif (root := _root(node)) is not None:
        yield root


def kept_elsewhere(script: Script) -> dict[str, list[cst.CSTNode]]:
    """Where the value of a name is put for others to find: into an object, or a list that is set or comes from afar."""
    kept, stores = script.look(Kept), script.look(Stores).found
    found = {name: list(nodes) for name, nodes in kept.found.items()}
    for node, name, into in kept.listed:
        scopes = [None, *script.look(Functions).every]
        own = any(script.assigned_values(into, scope) for scope in scopes)
        deep = [one for one in stores.get(into, []) if one.target is not node]
        if not own or deep:
            found.setdefault(name, []).append(node)
    return found
