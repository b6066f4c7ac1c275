"""Which names of a module something can reach: by assignment, loop, call, return, or being put into a list.

Names are followed by their spelling alone, whatever function they stand in and whatever runs first: it may say
yes too often, and no only where a way is hidden (`setattr` with a computed name, another module).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from lint_rules._light import light_module  # noqa: F401 - fills FIELDS
from lint_rules._light import tree as cst
from lint_rules._light.nodes import FIELDS

_KEEPS = frozenset(["append", "extend", "insert", "add", "update", "setdefault", "appendleft"])
_Seed = Callable[[cst.CSTNode], bool]


@dataclass(frozen=True, slots=True)
class _Way:
    """What is read in one place, and the names that get it; an attribute's name begins with a dot."""

    source: cst.CSTNode
    targets: frozenset[str]


class Ways:
    """The ways of a module, collected once for however many kinds of nodes are asked after.

    Args:
        module: A full tree or a light one.
        through_bodies: A function that reads something anywhere passes it on, not only one that returns it.
    """

    def __init__(self, module: cst.CSTNode, *, through_bodies: bool = False) -> None:
        self._by_source: dict[int, list[_Way]] = {}
        self._reading: dict[str, list[_Way]] = {}
        self._above: dict[int, cst.CSTNode | None] = {}
        self.by_key: dict[str, list[cst.CSTNode]] = {}
        for way in _Ways(module, through_bodies).found:
            self._by_source.setdefault(id(way.source), []).append(way)
        self.every: list[cst.CSTNode] = []
        waiting: list[tuple[object, cst.CSTNode | None]] = [(module, None)]
        while waiting:
            part, parent = waiting.pop()
            if isinstance(part, (list, tuple)):
                waiting.extend((item, parent) for item in part)
            elif isinstance(part, cst.CSTNode):
                self.every.append(part)
                self._above[id(part)] = parent
                key = _key(part)
                if key is not None:
                    self.by_key.setdefault(key, []).append(part)
                waiting.extend((item, part) for item in _below(part))

    def around(self, node: cst.CSTNode) -> Iterator[_Way]:
        """The ways that read a node, from the inside out."""
        at: cst.CSTNode | None = node
        while at is not None:
            yield from self._by_source.get(id(at), ())
            at = self._above.get(id(at))

    def reading(self, name: str) -> list[_Way]:
        """The ways that read a name."""
        if name not in self._reading:
            ways = {id(way): way for node in self.by_key.get(name, ()) for way in self.around(node)}
            self._reading[name] = list(ways.values())
        return self._reading[name]


class Reach:
    """What a kind of node reaches in a module.

    Args:
        module: A full tree or a light one.
        is_seed: Tells the nodes of that kind.
        through_bodies: A function that reads it anywhere passes it on, not only one that returns it.
        ways: Those of the module, where they were collected before.
        seeds: All nodes of the kind, where they are known.
    """

    def __init__(
        self,
        module: cst.CSTNode,
        is_seed: _Seed,
        *,
        through_bodies: bool = False,
        ways: Ways | None = None,
        seeds: Iterable[cst.CSTNode] | None = None,
    ) -> None:
        self._is_seed = is_seed
        ways = ways or Ways(module, through_bodies=through_bodies)
        seeds = filter(is_seed, ways.every) if seeds is None else seeds
        self.names: set[str] = set()
        waiting = [way for node in seeds for way in ways.around(node)]
        while waiting:
            new = waiting.pop().targets - self.names
            self.names |= new
            for name in new:
                waiting += ways.reading(name)

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
    if isinstance(node, cst.Attribute):  # its own name is told by the attribute
        yield node.value
        return
    if isinstance(node, cst.Arg):
        yield node.value
        return
    fields = FIELDS.get(type(node))
    if fields is not None:
        yield from (getattr(node, field) for field in fields)
    elif not isinstance(node, cst.SimpleString):
        yield from node.children


def _key(node: cst.CSTNode) -> str | None:
    if isinstance(node, cst.Name):
        return node.value
    return f".{node.attr.value}" if isinstance(node, cst.Attribute) else None


class _Ways:
    """Collects the ways of a module."""

    def __init__(self, module: cst.CSTNode, through_bodies: bool) -> None:
        every = list(nodes_in(module))
        self._functions: dict[str, list[cst.FunctionDef]] = {}
        for node in every:
            if isinstance(node, cst.FunctionDef):
                self._functions.setdefault(node.name.value, []).append(node)
        self.found: list[_Way] = []
        for node in every:
            self._take(node, through_bodies)

    def _add(self, source: object, targets: frozenset[str]) -> None:
        if isinstance(source, cst.CSTNode) and targets:
            self.found.append(_Way(source, targets))

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
