"""Which names of a module something can reach: by assignment, loop, call, return, or being put into a list.

Names are followed by their spelling alone, whatever function they stand in and whatever runs first: it may say
yes too often, and no only where a way is hidden (`setattr` with a computed name, another module).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import libcst as cst

from lint_rules._light import light_module  # noqa: F401 - fills FIELDS
from lint_rules._light.nodes import FIELDS

_KEEPS = frozenset(["append", "extend", "insert", "add", "update", "setdefault", "appendleft"])
_Seed = Callable[[cst.CSTNode], bool]


@dataclass(frozen=True, slots=True)
class _Way:
    """What is read in one place, and the names that get it; an attribute's name begins with a dot."""

    seeded: bool
    read: frozenset[str]
    targets: frozenset[str]


class Reach:
    """What a kind of node reaches in a module.

    Args:
        module: A full tree or a light one.
        is_seed: Tells the nodes of that kind.
        through_bodies: A function that reads it anywhere passes it on, not only one that returns it.
    """

    def __init__(
        self, module: cst.CSTNode, is_seed: _Seed, *, through_bodies: bool = False
    ) -> None:
        self._is_seed = is_seed
        ways = list(_Ways(module, is_seed, through_bodies).found)
        self.names: set[str] = set()
        grown = True
        while grown:
            size = len(self.names)
            for way in ways:
                if way.seeded or not self.names.isdisjoint(way.read):
                    self.names |= way.targets
            grown = len(self.names) > size

    def touches(self, node: cst.CSTNode) -> bool:
        """Whether an expression or statement holds such a node, or reads a name that it reached."""
        return any(self._is_seed(part) or _key(part) in self.names for part in nodes_in(node))


def nodes_in(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A node and all below it that is code."""
    waiting: list[object] = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, (list, tuple)):
            waiting.extend(part)
        elif isinstance(part, cst.CSTNode):
            yield part
            waiting.extend(_below(part))


def _below(node: cst.CSTNode) -> Iterator[object]:
    if type(node) is cst.Attribute:  # its own name is told by the attribute
        yield node.value
        return
    if type(node) is cst.Arg:
        yield node.value
        return
    fields = FIELDS.get(type(node))
    if fields is not None:
        yield from (getattr(node, field) for field in fields)
    elif not isinstance(node, cst.SimpleString):
        yield from node.children


def _key(node: cst.CSTNode) -> str | None:
    if type(node) is cst.Name:
        return node.value
    return f".{node.attr.value}" if type(node) is cst.Attribute else None


class _Ways:
    """Collects the ways of a module."""

    def __init__(self, module: cst.CSTNode, is_seed: _Seed, through_bodies: bool) -> None:
        self._is_seed = is_seed
        every = list(nodes_in(module))
        self._functions: dict[str, list[cst.FunctionDef]] = {}
        for node in every:
            if type(node) is cst.FunctionDef:
                self._functions.setdefault(node.name.value, []).append(node)
        self.found: list[_Way] = []
        for node in every:
            self._take(node, through_bodies)

    def _add(self, source: object, targets: frozenset[str]) -> None:
        if not isinstance(source, cst.CSTNode) or not targets:
            return
        parts = list(nodes_in(source))
        read = frozenset(key for part in parts if (key := _key(part)) is not None)
        self.found.append(_Way(any(map(self._is_seed, parts)), read, targets))

    def _take(self, node: cst.CSTNode, through_bodies: bool) -> None:
        if isinstance(node, cst.Assign):
            for target in node.targets:
                self._add(node.value, _stored(target.target))
        elif isinstance(node, (cst.AnnAssign, cst.AugAssign, cst.NamedExpr)):
            self._add(node.value, _stored(node.target))
        elif isinstance(node, (cst.For, cst.CompFor)):
            self._add(node.iter, _stored(node.target))
        elif isinstance(node, cst.WithItem):
            if node.asname is not None:
                self._add(node.item, _stored(node.asname.name))
        elif isinstance(node, cst.FunctionDef):
            self._function(node, through_bodies)
        elif isinstance(node, cst.ClassDef) and through_bodies:
            self._add(node.body, frozenset([node.name.value, f".{node.name.value}"]))
        elif isinstance(node, cst.Call):
            self._call(node)

    def _function(self, node: cst.FunctionDef, through_bodies: bool) -> None:
        name = frozenset([node.name.value, f".{node.name.value}"])
        if through_bodies:
            self._add(node.body, name)
            return
        for part in nodes_in(node.body):
            if isinstance(part, (cst.Return, cst.Yield)):
                self._add(part.value, name)
        for parameter in _parameters(node):
            self._add(getattr(parameter, "default", None), frozenset([parameter.name.value]))

    def _call(self, node: cst.Call) -> None:
        function = node.func
        name = _key(function)
        if name is not None and isinstance(function, cst.Attribute) and name[1:] in _KEEPS:
            for arg in node.args:
                self._add(arg.value, _stored(function.value))
        for called in self._functions.get((name or "").lstrip("."), ()):
            names = [parameter.name.value for parameter in _parameters(called)]
            method = names[:1] in (["self"], ["cls"])
            for place, arg in enumerate(node.args):
                keyword = getattr(arg, "keyword", None)
                if keyword is not None:
                    targets = {keyword.value} & set(names)
                elif arg.star or place + method >= len(names):
                    targets = set(names)
                else:
                    targets = {names[place + method]}
                self._add(arg.value, frozenset(targets))


def _parameters(node: cst.FunctionDef) -> list[cst.Param]:
    params = node.params
    every = [*params.posonly_params, *params.params, *params.kwonly_params]
    stars = (params.star_arg, params.star_kwarg)
    return every + [star for star in stars if isinstance(star, cst.Param)]


def _stored(target: cst.CSTNode) -> frozenset[str]:
    """The names that an assignment to a target changes."""
    if isinstance(target, (cst.Tuple, cst.List)):
        return frozenset(key for e in target.elements for key in _stored(e.value))
    while isinstance(target, (cst.Subscript, cst.StarredElement)):
        target = target.value
    key = _key(target)
    return frozenset() if key is None else frozenset([key])
