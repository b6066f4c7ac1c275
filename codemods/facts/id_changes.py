"""What a script does that may change ids where they lie: assignments to parts, and methods that set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from codemods.script.looking import Looking
from lint_rules._flow.values.syntax import dotted

_ENTRIES = ("input_ids", "inputs", "attention_mask")
# Methods that set what they are called on, besides those that end in a line.
_SETS = ("update", "clear", "__setitem__", "resize_")
# Functions that set their first argument.
_SETTERS = frozenset(["copyto", "put", "putmask", "place", "fill_diagonal", "shuffle", "setitem"])
# Methods and functions whose result lies where the ids lie.
_VIEWS = frozenset(
    [
        *(
            "view",
            "view_as",
            "reshape",
            "squeeze",
            "unsqueeze",
            "detach",
            "numpy",
            "values",
            "items",
        ),
        *("to", "cpu", "cuda", "long", "int", "unbind", "split", "chunk", "tensor_split", "narrow"),
        *("select", "diagonal", "t", "transpose", "swapaxes", "permute", "expand", "contiguous"),
        *("flatten", "ravel", "unflatten", "type", "get", "__getitem__", "requires_grad_", "copy"),
        *(
            "asarray",
            "ascontiguousarray",
            "as_tensor",
            "from_numpy",
            "atleast_2d",
            "convert_to_tensors",
        ),
        *("enumerate", "zip", "list", "tuple", "iter", "next", "reversed", "map", "filter", "dict"),
        *("chain", "islice", "itemgetter", "getattr", "memoryview", "_values", "index_select"),
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
        """`x = …`."""
        for one in node.targets:
            self._tell(one.target, node.value)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        """`x[0] += 1`, and `x += 1`, which a tensor does in its place."""
        self._tell(node.target, None)
        if isinstance(node.target, cst.Name):
            self._put(node.target, Stores.Store(node.target, None, None))

    def visit_Call(self, node: cst.Call) -> None:
        """`x.fill_(0)`, `torch.Tensor.fill_(x, 0)`, `torch.add(x, 1, out=x)`, `np.put(x, 0, 1)`."""
        name = dotted(node.func) or ""
        method = node.func.attr.value if isinstance(node.func, cst.Attribute) else name
        inward = method.endswith("_") and not method.endswith("__")
        if isinstance(node.func, cst.Attribute) and (method in _SETS or inward):
            self._put(node.func.value, Stores.Store(node, None, None))
        if node.args and (method in _SETTERS or (inward and name.startswith("torch."))):
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
        called = node.func.attr.value if isinstance(node.func, cst.Attribute) else dotted(node.func)
        if called in _VIEWS:
            if isinstance(node.func, cst.Attribute):
                yield from roots(node.func.value)
            for arg in node.args:
                yield from roots(arg.value)
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

    def visit_CompFor(self, node: cst.CompFor) -> None:
        """`… for x in …`."""
        self._bind(node.target, node.iter)

    def visit_WithItem(self, node: cst.WithItem) -> None:
        """`with … as x:`."""
        if node.asname is not None:
            self._bind(node.asname.name, node.item)

    def _bind(self, target: cst.BaseExpression, value: cst.BaseExpression) -> None:
        if isinstance(target, cst.Name):
            self.found.append((target.value, value))
        elif isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._bind(element.value, value)
