"""Which names of a module something can reach: by assignment, loop, call, return, or being put into a list.

Names are followed by their spelling alone, whatever function they stand in and whatever runs first: it may say
yes too often, and no only where a way is hidden (`setattr` with a computed name, another module).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lint_rules._light import light_module  # noqa: F401 - fills FIELDS
from lint_rules._light import tree as cst
from lint_rules._light.by_kind import ByKind
from lint_rules._light.nodes import FIELDS

_KEEPS = frozenset(["append", "extend", "insert", "add", "update", "setdefault", "appendleft"])
_Seed = Callable[[cst.CSTNode], bool]
_Take = Callable[[Any, Any], None]
# The fields in which each kind of node is walked; `_ALL` where only the node knows what is below it.
_ALL = ("all",)
_WALKED: dict[type[cst.CSTNode], tuple[str, ...]] = {}


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

    Attributes:
        through_bodies: As given.
        functions: The functions, by their names.
        by_key: Names and attributes, by how ways name them.
        texts: The literals of text, and the literal parts of f-strings.
    """

    def __init__(self, module: cst.CSTNode, *, through_bodies: bool = False) -> None:
        self._by_source: dict[int, list[_Way]] = {}
        self._reading: dict[str, list[_Way]] = {}
        self._above: dict[int, cst.CSTNode | None] = {}
        self.through_bodies = through_bodies
        self.functions: dict[str, list[cst.FunctionDef]] = {}
        self.by_key: dict[str, list[cst.CSTNode]] = {}
        self.texts: list[cst.CSTNode] = []
        later: list[tuple[_Take, Any]] = []  # what asks for the nodes above, or for all functions
        above, kinds = self._above, _KINDS
        waiting: list[tuple[Any, Any]] = [(module, None)]
        while waiting:
            node, parent = waiting.pop()
            above[id(node)] = parent
            kind = kinds[type(node)]
            if kind is not None:
                take, waits = kind
                if waits:
                    later.append((take, node))
                else:
                    take(self, node)
            for value in _below(node):
                if isinstance(value, (list, tuple)):
                    waiting += [(item, node) for item in value]
                elif isinstance(value, cst.CSTNode):
                    waiting.append((value, node))
        for take, node in later:
            take(self, node)

    def add(self, source: object, targets: frozenset[str]) -> None:
        """Notes that what is read somewhere gets some names."""
        if isinstance(source, cst.CSTNode) and targets:
            self._by_source.setdefault(id(source), []).append(_Way(source, targets))

    def above(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The node right above another one."""
        return self._above.get(id(node))

    def around(self, node: cst.CSTNode, ends: _Seed | None = None) -> Iterator[_Way]:
        """The ways that read a node, from the inside out, up to one that gives something else."""
        at: cst.CSTNode | None = node
        while at is not None and not (ends is not None and ends(at)):
            yield from self._by_source.get(id(at), ())
            at = self._above.get(id(at))

    def reading(self, name: str, ends: _Seed | None = None) -> list[_Way]:
        """The ways that read a name, but for places inside a node that gives something else."""
        if ends is not None:
            return [way for node in self.by_key.get(name, ()) for way in self.around(node, ends)]
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
        names: Names that hold it from the beginning, as parameters do.
        ends: Tells the nodes that give something else, whatever they hold; None for none.
    """

    def __init__(
        self,
        module: cst.CSTNode,
        is_seed: _Seed,
        *,
        through_bodies: bool = False,
        ways: Ways | None = None,
        seeds: Iterable[cst.CSTNode] | None = None,
        names: Iterable[str] = (),
        ends: _Seed | None = None,
    ) -> None:
        self._is_seed = is_seed
        self._ends = ends
        ways = ways or Ways(module, through_bodies=through_bodies)
        seeds = filter(is_seed, nodes_in(module)) if seeds is None else seeds
        self.names: set[str] = set(names)
        waiting = [way for node in seeds for way in ways.around(node, ends)]
        waiting += [way for name in self.names for way in ways.reading(name, ends)]
        while waiting:
            new = waiting.pop().targets - self.names
            self.names |= new
            for name in new:
                waiting += ways.reading(name, ends)

    def touches(self, node: cst.CSTNode) -> bool:
        """Whether an expression or statement holds such a node, or reads a name that it reached."""
        return any(
            self._is_seed(part) or _key(part) in self.names for part in nodes_in(node, self._ends)
        )


def nodes_in(node: cst.CSTNode, but: _Seed | None = None) -> Iterator[cst.CSTNode]:
    """A node and all below it that is code, without some nodes and what is below them."""
    waiting: list[object] = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, (list, tuple)):
            waiting.extend(part)
        elif isinstance(part, cst.CSTNode) and not (but is not None and but(part)):
            yield part
            waiting.extend(_below(part))


def _below(node: cst.CSTNode) -> Iterable[Any]:
    """What stands right below a node: nodes, lists of nodes, and values."""
    fields = _WALKED.get(type(node))
    if fields is None:
        fields = _WALKED[type(node)] = _walked(node)
    if fields is _ALL:
        return () if isinstance(node, cst.SimpleString) else node.children
    return [getattr(node, field) for field in fields]


def _walked(node: cst.CSTNode) -> tuple[str, ...]:
    if isinstance(node, (cst.Attribute, cst.Arg)):  # an attribute's own name is told by it
        return ("value",)
    return FIELDS.get(type(node), _ALL)


def _key(node: cst.CSTNode) -> str | None:
    if isinstance(node, cst.Name):
        return node.value
    return f".{node.attr.value}" if isinstance(node, cst.Attribute) else None


def _assign(ways: Ways, node: cst.Assign) -> None:
    for target in node.targets:
        ways.add(node.value, _stored(target.target))


def _targeted(ways: Ways, node: cst.AnnAssign | cst.AugAssign | cst.NamedExpr) -> None:
    ways.add(node.value, _stored(node.target))


def _loop(ways: Ways, node: cst.For | cst.CompFor) -> None:
    ways.add(node.iter, _stored(node.target))


def _opened(ways: Ways, node: cst.WithItem) -> None:
    if node.asname is not None:
        ways.add(node.item, _stored(node.asname.name))


def _class(ways: Ways, node: cst.ClassDef) -> None:
    if ways.through_bodies:
        ways.add(node.body, frozenset([node.name.value, f".{node.name.value}"]))


def _function(ways: Ways, node: cst.FunctionDef) -> None:
    ways.functions.setdefault(node.name.value, []).append(node)
    if ways.through_bodies:
        ways.add(node.body, frozenset([node.name.value, f".{node.name.value}"]))
        return
    for parameter in _parameters(node):
        ways.add(getattr(parameter, "default", None), frozenset([parameter.name.value]))


def _given_back(ways: Ways, node: cst.Return | cst.Yield) -> None:
    """What is returned has the name of every function around it."""
    if ways.through_bodies:
        return
    inner: cst.CSTNode = node
    while (outer := ways.above(inner)) is not None:
        if isinstance(outer, cst.FunctionDef) and inner is outer.body:
            ways.add(node.value, frozenset([outer.name.value, f".{outer.name.value}"]))
        inner = outer


def _call(ways: Ways, node: cst.Call) -> None:
    function = node.func
    name = _key(function)
    if name is not None and isinstance(function, cst.Attribute) and name[1:] in _KEEPS:
        for arg in node.args:
            ways.add(arg.value, _stored(function.value))
    for called in ways.functions.get((name or "").lstrip("."), ()):
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
            ways.add(arg.value, frozenset(targets))


def _named(ways: Ways, node: cst.Name) -> None:
    ways.by_key.setdefault(node.value, []).append(node)


def _attribute(ways: Ways, node: cst.Attribute) -> None:
    ways.by_key.setdefault(f".{node.attr.value}", []).append(node)


def _text(ways: Ways, node: cst.CSTNode) -> None:
    ways.texts.append(node)


# What is taken from nodes of each kind, and whether only when all were seen.
_KINDS: ByKind[tuple[_Take, bool]] = ByKind(
    {
        cst.Name: (_named, False),
        cst.Attribute: (_attribute, False),
        cst.SimpleString: (_text, False),
        cst.FormattedStringText: (_text, False),
        cst.Assign: (_assign, False),
        cst.AnnAssign: (_targeted, False),
        cst.AugAssign: (_targeted, False),
        cst.NamedExpr: (_targeted, False),
        cst.For: (_loop, False),
        cst.CompFor: (_loop, False),
        cst.WithItem: (_opened, False),
        cst.FunctionDef: (_function, False),
        cst.ClassDef: (_class, False),
        cst.Return: (_given_back, True),
        cst.Yield: (_given_back, True),
        cst.Call: (_call, True),
    }
)


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
