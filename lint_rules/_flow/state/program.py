"""The state of a walk: what functions take and return, what classes hold, what was imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from cleanguard.settings.config import Settings
from lint_rules._flow.state.library_names import LOADER_CLASSES
from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.events import Event, Place
from lint_rules._flow.values.joins import (
    UNKNOWN,
    FunctionRef,
    ModelId,
    Symbol,
    Value,
    bounded,
    join,
)
from lint_rules._flow.values.ledger import Ledger, Summary
from lint_rules._flow.values.scopes import Env
from lint_rules._flow.values.settings_state import State, merged_states
from lint_rules._flow.values.syntax import dotted
from lint_rules._light import tree as cst

Function: TypeAlias = "cst.FunctionDef | cst.Lambda"


@dataclass(slots=True)
class FunctionFacts:
    """What is known of a function across the module.

    Attributes:
        omitted: Parameters that a call leaves to their defaults.
        entry: What objects are set to when it is called, over all calls that are seen.
        sets: What it has set when it returns.
    """

    env: Env
    owner: cst.ClassDef | None
    arguments: dict[str, Value] = field(default_factory=dict)
    omitted: set[str] = field(default_factory=set)
    result: Value = UNKNOWN
    called: bool = False
    home: Program | None = None
    entry: State = field(default_factory=dict)
    sets: State = field(default_factory=dict)


@dataclass(slots=True)
class ClassFacts:
    """What is known of a class: its methods, and all that is assigned to its attributes."""

    env: Env
    methods: dict[str, cst.FunctionDef] = field(default_factory=dict)
    attributes: dict[str, Value] = field(default_factory=dict)
    fields: list[str] = field(default_factory=list)
    bases: tuple[str, ...] = ()
    parents: tuple[cst.ClassDef, ...] = ()
    home: Program | None = None

    def add_field(self, name: str) -> None:
        """Adds an annotated field in the order of a dataclass's parameters."""
        if name not in self.fields:
            self.fields.append(name)


class Linker(Protocol):
    """Finds other modules of the same run."""

    def lookup(self, importer: Path, dotted: str) -> Value | None:
        """What a dotted name, relative with leading dots, is in another module; None if not ours."""
        ...

    def member(self, path: str, name: str) -> Value | None:
        """A top-level name of a module that `lookup` found."""
        ...


class Program:
    """A module under analysis.

    Args:
        module: The parsed module.
        settings: What the run was told.
        path: Where the module stands, to resolve its imports; None without other modules.
        linker: Finds the other modules of the run.
        given: What other modules give the parameters of its functions.
    """

    def __init__(
        self,
        module: cst.Module,
        settings: Settings,
        path: Path | None = None,
        linker: Linker | None = None,
        given: Mapping[cst.CSTNode, Mapping[str, Value]] | None = None,
    ) -> None:
        self.module = module
        self.settings = settings
        self.path = path
        self.linker = linker
        self.given = given or {}
        self.has_givers = False
        self.globals = Env()
        self.functions: dict[Function, FunctionFacts] = {}
        self.classes: dict[cst.ClassDef, ClassFacts] = {}
        self.ledger = Ledger()
        self.partials: dict[cst.Call, Arguments] = {}
        # The models that inference engines are built with.
        self.engines: dict[cst.Call, ModelId] = {}
        self.parser_defaults: dict[cst.CSTNode, dict[str, Value]] = {}
        self.called_names: set[str] = set()
        self.imported_names: set[str] = set()
        self.imported_roots: set[str] = set()
        self.star_imports: list[str] = []
        # What objects are set to by the functions that make them, for functions that nobody calls.
        self.births: dict[Function, State] = {}
        # What was given to functions of other modules of the run.
        self.handed: list[Value] = []
        # What is called at a node where that is one of several values; its event tells of one of them.
        self.alternatives: dict[cst.Call, tuple[Value, ...]] = {}
        self._adopted: set[Program] = set()
        self._imported: dict[str, Value] = {}
        # Dotted paths by the node's identity; the nodes are kept so that no other takes theirs.
        self._paths: dict[int, tuple[cst.Attribute, str | None]] = {}
        # Above 0 while a function is replayed for one call: nothing is recorded or learnt.
        self.quiet = 0
        # Set by the executor: runs a function with given arguments and returns its result.
        self.replay: Replay | None = None
        # Set by the executor: walks a function that is called before its turn.
        self.demand: Callable[[Function], None] = lambda _: None

    def path_of(self, node: cst.Attribute) -> str | None:
        """`a.b.c` as text, None for anything else."""
        known = self._paths.get(id(node))
        if known is None:
            known = self._paths[id(node)] = (node, dotted(node))
        return known[1]

    def record(self, event: Event) -> None:
        """Keeps the latest event of its kind of a node."""
        if not self.quiet:
            self.ledger.events[type(event), event.node] = event

    def add_argument(self, function: Function, name: str, value: Value) -> None:
        """Joins a value that a call passes for a parameter."""
        facts = self.functions.get(function)
        if facts is None or self.quiet or facts.home is not self:
            return
        self.mark_called(function, facts)
        self._update(facts.arguments, name, value, (function, "arguments"))

    def add_omitted(self, function: Function, names: set[str]) -> None:
        """Notes that a call leaves parameters to their defaults."""
        facts = self.functions.get(function)
        if facts is None or self.quiet or facts.home is not self or names <= facts.omitted:
            return
        facts.omitted |= names
        self.ledger.change((function, "arguments"))

    def mark_called(self, function: Function, facts: FunctionFacts) -> None:
        """Notes that the module calls a function of its own."""
        if not facts.called:
            facts.called = True
            self.ledger.change((function, "arguments"))

    def add_entry(self, function: Function, state: State) -> None:
        """Joins what objects are set to where a function is called."""
        facts = self.functions.get(function)
        if facts is None or self.quiet or facts.home is not self:
            return
        merged = merged_states([facts.entry, state]) if facts.called else state
        if merged != facts.entry:
            facts.entry = merged
            self.ledger.change((function, "arguments"))

    def add_births(self, function: Function, born: State) -> None:
        """Notes what a function leaves the objects set to that it makes."""
        if self.births.get(function, {}) != born:
            self.births[function] = born
            self.ledger.change("births")

    def add_result(self, function: Function, value: Value) -> None:
        """Joins a value that a function returns."""
        facts = self.functions.get(function)
        if facts is None or self.quiet:
            return
        merged = bounded(join(facts.result, value))
        if merged != facts.result:
            facts.result = merged
            self.ledger.change(function)

    def add_attribute(self, owner: cst.ClassDef, name: str, value: Value) -> None:
        """Joins a value that is assigned to an attribute of a class's objects."""
        facts = self.classes.get(owner)
        if facts is None or self.quiet or facts.home is not self:
            return
        if self._update(facts.attributes, name, value, (owner, name)):
            self.ledger.change(owner)

    def adopt(self, other: Program) -> None:
        """Makes another module's functions and classes known, for values that come from there."""
        if other in self._adopted:
            return
        self._adopted.add(other)
        for function, facts in other.functions.items():
            self.functions.setdefault(function, facts)
        for owner, known in other.classes.items():
            self.classes.setdefault(owner, known)
        self.partials.update(other.partials)
        self.engines.update(other.engines)
        self.parser_defaults.update(other.parser_defaults)

    def know(self, other: Program) -> None:
        """Makes another module known that values of this one come from: it calls this one."""
        self._adopted.add(other)
        self.has_givers = True

    def adopted(self) -> Iterator[Program]:
        """The modules that values of this one come from, and those that theirs come from."""
        seen = {self}
        waiting = [self]
        while waiting:
            for other in waiting.pop()._adopted - seen:
                seen.add(other)
                waiting.append(other)
                yield other

    def imported(self, dotted: str) -> Value:
        """What an imported dotted name is: a value of another module of the run, or a symbol."""
        known = self._imported.get(dotted)
        if known is None:
            known = self._imported[dotted] = self._look_up(dotted)
        return known

    def _look_up(self, dotted: str) -> Value:
        own_loader = dotted.rsplit(".", 1)[-1] in LOADER_CLASSES
        if self.linker is not None and self.path is not None and not own_loader:
            found = self.linker.lookup(self.path, dotted)
            if found is not None:
                return found
        return Symbol(dotted)

    def _update(self, table: dict[str, Value], name: str, value: Value, summary: Summary) -> bool:
        old = table.get(name)
        merged = bounded(value if old is None else join(old, value))
        if merged is not old and merged != old:
            table[name] = merged
            self.ledger.change(summary)
            return True
        return False


class Replay(Protocol):
    """Runs a function for one call."""

    def __call__(self, function: FunctionRef, arguments: dict[str, Value]) -> Value:
        """The result for these arguments."""
        ...


@dataclass(slots=True)
class Cursor:
    """Where the walk stands; turned into a `Place` when an event is recorded."""

    line: cst.SimpleStatementLine | None = None
    block: tuple[cst.BaseStatement | cst.BaseSmallStatement, ...] = ()
    index: int = 0
    function: cst.FunctionDef | None = None
    owner: cst.ClassDef | None = None
    parents: tuple[cst.BaseCompoundStatement, ...] = ()
    state: State = field(default_factory=dict)

    def place(self) -> Place:
        """The place of an event found now."""
        return Place(
            self.line,
            self.block,
            self.index,
            self.function,
            self.owner,
            self.parents,
            self.state,
        )
