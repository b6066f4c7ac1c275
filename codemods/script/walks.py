"""Walks over the names, lines and blocks of a module."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import libcst as cst

from codemods.script.looking import Looking
from lint_rules._light.positions import Positions, Span


@dataclass(frozen=True, slots=True)
class NameUse:
    """One occurrence of a name in code, not as a keyword or attribute.

    Attributes:
        name: The name.
        offset: Where it starts.
        stores: Whether something is assigned to it here.
        local: Whether it is the name of a function, of which the module knows nothing.
    """

    name: str
    offset: int
    stores: bool
    local: bool = False


@dataclass(slots=True)
class Scope:
    """The names of one function or lambda, or of a class, which its methods do not see.

    Attributes:
        node: The function, lambda or class.
        parent: What stands around it; None for the module.
        names: Its parameters, and what it stores.
        globals: What it declares `global`.
        nonlocals: What it declares `nonlocal`.
    """

    node: cst.CSTNode
    parent: Scope | None
    names: set[str] = field(default_factory=set)
    globals: set[str] = field(default_factory=set)
    nonlocals: set[str] = field(default_factory=set)

    def home_of(self, name: str) -> Scope | None:
        """The function here or around it whose name this is; None for the module's."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.globals:
                return None
            is_class = isinstance(scope.node, cst.ClassDef)
            if name in scope.names - scope.nonlocals and not is_class:
                return scope
            scope = scope.parent
        return None


class Lines(Looking):
    """The simple statement lines."""

    def __init__(self) -> None:
        self.found: list[cst.SimpleStatementLine] = []

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> bool:
        self.found.append(node)
        return False


class Values(Looking):
    """What is assigned to each name alone."""

    def __init__(self) -> None:
        self.found: dict[str, list[tuple[cst.Name, cst.BaseExpression]]] = {}

    def visit_Assign(self, node: cst.Assign) -> None:
        if len(node.targets) == 1:
            self._keep(node.targets[0].target, node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value is not None:
            self._keep(node.target, node.value)

    def _keep(self, target: cst.BaseExpression, value: cst.BaseExpression) -> None:
        if isinstance(target, cst.Name):
            self.found.setdefault(target.value, []).append((target, value))


class Blocks(Looking):
    """The statements of each indented block."""

    def __init__(self) -> None:
        self.found: list[tuple[cst.BaseStatement, ...]] = []

    def visit_IndentedBlock(self, node: cst.IndentedBlock) -> None:
        self.found.append(tuple(item for item in node.body if isinstance(item, cst.BaseStatement)))


class Shared(Looking):
    """The names that functions declare `global` or `nonlocal`."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_NameItem(self, node: cst.NameItem) -> None:
        self.found.add(node.name.value)


class Elses(Looking):
    """The `else` clauses with a body of whole lines, by the first statement of the body."""

    def __init__(self) -> None:
        self.found: dict[cst.CSTNode, cst.Else] = {}

    def visit_Else(self, node: cst.Else) -> None:
        if isinstance(node.body, cst.IndentedBlock) and node.body.body:
            self.found[node.body.body[0]] = node


class Attributes(Looking):
    """The names of all attributes."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_Attribute(self, node: cst.Attribute) -> None:
        self.found.add(node.attr.value)

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:  # noqa: ARG002
        return False


class Tests(Looking):
    """The `if` statements without an `else` whose tests call nothing, by the first statement below."""

    def __init__(self) -> None:
        self.found: dict[cst.CSTNode, cst.If] = {}

    def visit_If(self, node: cst.If) -> bool:
        calls = _Calls()
        node.test.visit(calls)
        if node.orelse is None and not calls.found and isinstance(node.body, cst.IndentedBlock):
            self.found[node.body.body[0]] = node
        node.body.visit(self)
        other = node.orelse
        while isinstance(other, cst.If):  # an `elif` stays, whatever is left in it
            other.body.visit(self)
            other = other.orelse
        if other is not None:
            other.body.visit(self)
        return False


class _Calls(Looking):
    """Calls of anything but what only looks."""

    def __init__(self) -> None:
        self.found = False

    def visit_Call(self, node: cst.Call) -> None:
        name = node.func.value if isinstance(node.func, cst.Name) else None
        self.found = self.found or name not in ("hasattr", "getattr", "isinstance", "len")


class Names(Looking):
    """Every name that code reads or assigns, and the functions whose names they are."""

    def __init__(self, positions: Positions) -> None:
        self.positions = positions
        self.scopes: dict[cst.CSTNode, Scope] = {}
        self._scope: Scope | None = None
        self._by_name: dict[str, list[tuple[cst.Name, Scope | None]]] = defaultdict(list)
        self._stores: set[cst.CSTNode] = set()
        self._named: dict[tuple[str, bool], list[NameUse]] = {}
        self._offsets: dict[str, list[int]] = {}

    @cached_property
    def uses(self) -> list[NameUse]:
        """What was found, in the order of the text."""
        found = [use for name in self._by_name for use in self.named(name)]
        return sorted(found, key=lambda use: use.offset)

    def inside(self, span: Span) -> Sequence[NameUse]:
        """What was found inside a range, in the order of the text."""
        first = bisect_left(self._starts, span.start)
        return self.uses[first : bisect_left(self._starts, span.end, first)]

    @cached_property
    def _starts(self) -> list[int]:
        return [use.offset for use in self.uses]

    def offsets(self, name: str, begin: int, end: int) -> Iterator[int]:
        """Where a name occurs from one offset on and before another."""
        if name not in self._offsets:
            self._offsets[name] = [use.offset for use in self.named(name)]
        known = self._offsets[name]
        for at in range(bisect_left(known, begin), len(known)):
            if known[at] >= end:
                return
            yield known[at]

    def named(self, name: str, *, stores: bool = False) -> list[NameUse]:
        """The occurrences of one name, in the order of the text; only those that store it, if asked."""
        if (name, stores) not in self._named:
            self._named[name, stores] = self._name(name, stores)
        return self._named[name, stores]

    def _name(self, name: str, stores: bool) -> list[NameUse]:
        found = [
            NameUse(
                name,
                self.positions.span(node).start,
                node in self._stores,
                scope is not None and scope.home_of(name) is not None,
            )
            for node, scope in self._by_name.get(name, ())
            if not stores or node in self._stores
        ]
        return sorted(found, key=lambda use: use.offset)

    @property
    def every(self) -> Collection[str]:
        """The names that occur."""
        return self._by_name.keys()

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        node.value.visit(self)
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:  # noqa: ARG002
        return False

    def visit_Import(self, node: cst.Import) -> bool:  # noqa: ARG002
        return False

    def visit_Global(self, node: cst.Global) -> None:
        if self._scope is not None:
            self._scope.globals |= {item.name.value for item in node.names}

    def visit_Nonlocal(self, node: cst.Nonlocal) -> None:
        if self._scope is not None:
            self._scope.nonlocals |= {item.name.value for item in node.names}

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        self._mark(node.target)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._mark(node.target)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._mark(node.target)

    def visit_For(self, node: cst.For) -> None:
        self._mark(node.target)

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._mark(node.target, binds=False)  # it ends with the comprehension

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:
        self._mark(node.target)

    def visit_MatchAs(self, node: cst.MatchAs) -> None:
        if node.name is not None:
            self._mark(node.name)

    def visit_MatchStar(self, node: cst.MatchStar) -> None:
        if node.name is not None:
            self._mark(node.name)

    def visit_MatchMapping(self, node: cst.MatchMapping) -> None:
        if node.rest is not None:
            self._mark(node.rest)

    def visit_AsName(self, node: cst.AsName) -> None:
        self._mark(node.name)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        self._mark(node.name)
        for outside in (*node.decorators, node.name, node.returns):
            if outside is not None:
                outside.visit(self)
        self._function(node, node.params, node.body)
        return False

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        self._function(node, node.params, node.body)
        return False

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        self._mark(node.name)
        for outside in (*node.decorators, node.name, *node.bases, *node.keywords):
            outside.visit(self)
        self._enter(node, (), node.body)
        return False

    def visit_Name(self, node: cst.Name) -> None:
        self._by_name[node.value].append((node, self._scope))

    def _function(self, node: cst.CSTNode, params: cst.Parameters, body: cst.CSTNode) -> None:
        """Defaults and annotations are read where the function stands, all else inside it."""
        every = [*params.posonly_params, *params.params, *params.kwonly_params]
        stars = (params.star_arg, params.star_kwarg)
        every += [star for star in stars if isinstance(star, cst.Param)]
        for parameter in every:
            for outside in (parameter.annotation, parameter.default):
                if outside is not None:
                    outside.visit(self)
        self._enter(node, [parameter.name for parameter in every], body)

    def _enter(self, node: cst.CSTNode, names: Sequence[cst.Name], body: cst.CSTNode) -> None:
        self._scope = self.scopes[node] = Scope(node, self._scope)
        for name in names:
            self._mark(name)
            name.visit(self)
        body.visit(self)
        self._scope = self._scope.parent

    def _mark(self, target: cst.CSTNode, *, binds: bool = True) -> None:
        if isinstance(target, cst.Name):
            self._stores.add(target)
            if binds and self._scope is not None:
                self._scope.names.add(target.value)
        elif isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._mark(element.value, binds=binds)


def last_part(block: cst.BaseSuite) -> cst.BaseSmallStatement | None:
    """The last small statement of a block, None where it ends in a compound one."""
    last = block.body[-1] if block.body else None
    return last.body[-1] if isinstance(last, cst.SimpleStatementLine) else None


def leaves(handler: cst.ExceptHandler | cst.ExceptStarHandler) -> bool:
    """Whether what stands behind a `try` is not reached through a handler of it."""
    return isinstance(last_part(handler.body), (cst.Raise, cst.Return, cst.Continue))
