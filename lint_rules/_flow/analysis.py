"""The finished flow of one module: its events, and what rules and rewrites ask of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar, cast

from cleanguard.settings.config import Settings
from lint_rules._flow.libraries.model_ids import model_id_of
from lint_rules._flow.libraries.prompt_ids import encodings_in
from lint_rules._flow.state.program import Linker, Program
from lint_rules._flow.values.arguments import Argument
from lint_rules._flow.values.events import CallSite, Encode, Event, Forward, Generate, ModelLoad
from lint_rules._flow.values.joins import (
    UNKNOWN,
    Encoded,
    FunctionRef,
    Items,
    Mapping,
    ModelId,
    Sequence,
    Tokenizer,
    Value,
    element_of,
    front_of,
    join,
    options,
)
from lint_rules._flow.values.ledger import Unit
from lint_rules._flow.values.settings_state import NOTHING_SET, SEED
from lint_rules._flow.walking.statements import Executor
from lint_rules._light import tree as cst

# Call chains of this depth are followed to the end; real scripts need three or four.
MAX_ROUNDS = 8

_HOSTED = frozenset({"openai", "anthropic", "cohere", "litellm"})

E = TypeVar("E", bound=Event)
T = TypeVar("T")


class Flow:
    """What was found in a module."""

    def __init__(self, program: Program) -> None:
        self.module = program.module
        self.settings = program.settings
        self.path = program.path
        self.imported_names: frozenset[str] = frozenset(program.imported_names)
        self.called_names: frozenset[str] = frozenset(program.called_names)
        # Whether it imports the client of a hosted model.
        self.talks_to_an_api = bool(_HOSTED & program.imported_roots)
        self._program = program
        self._events = program.ledger.all_events()
        self._by_kind: dict[type[object], list[Event]] = defaultdict(list)
        for event in self._events.values():
            self._by_kind[type(event)].append(event)
        self._functions = program.functions
        self._order: dict[int, int] = {}
        self._answers: dict[Callable[[Flow], object], object] = {}
        # Whether any part of the module, or what it calls, seeds torch's generator.
        self.seeds_somewhere = SEED in program.globals.state or any(
            SEED in facts.sets for facts in program.functions.values()
        )

    def once(self, question: Callable[[Flow], T]) -> T:
        """The answer to a question about the whole module, which is asked at many places and answered once."""
        if question not in self._answers:
            self._answers[question] = question(self)
        return cast("T", self._answers[question])

    def events(self, kind: type[E]) -> Iterator[E]:
        """All events of one kind, in the order of the walk."""
        return cast("Iterator[E]", iter(self._by_kind.get(kind, ())))

    def event_at(self, node: cst.CSTNode | None, kind: type[E]) -> E | None:
        """The event of a value's origin, None if it is none of that kind."""
        if node is None:
            return None
        event = self._events.get((cast("type[Event]", kind), node))
        return event if isinstance(event, kind) else None

    def statement_of(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The statement in which the walk met an event's node; None for a node without an event."""
        for kind in self._by_kind:
            event = self._events.get((cast("type[Event]", kind), node))
            if event is not None and event.place.block:
                return event.place.block[event.place.index]
        return None

    def order_of(self, event: Event) -> int:
        """Where an event stands in the walk of its function."""
        if not self._order:
            self._order = {id(event): at for at, event in enumerate(self._events.values())}
        return self._order[id(event)]

    def is_called(self, function: cst.FunctionDef | None) -> bool:
        """Whether a call of a function is in sight; the module's body is run by whoever imports it."""
        facts = None if function is None else self._functions.get(function)
        return function is None or (facts is not None and facts.called)

    def inherits(self, owner: cst.ClassDef, ending: str) -> bool:
        """Whether a class inherits from a library's class whose name ends so."""
        facts = self._program.classes.get(owner)
        if facts is None:
            return False
        return any(base.endswith(ending) for base in facts.bases) or any(
            self.inherits(parent, ending) for parent in facts.parents
        )

    def event_elsewhere(self, node: cst.CSTNode, kind: type[E]) -> tuple[Path, E] | None:
        """The event of an origin in another module of the run, and that module's file."""
        for other in self._program.adopted():
            event = other.ledger.event(cast("type[Event]", kind), node)
            if isinstance(event, kind) and other.path is not None:
                return other.path, event
        return None

    def load_given(self, node: cst.CSTNode | None) -> ModelLoad | None:
        """The load of a model that another module of the run gives a function of this one."""
        if node is None or not self._program.has_givers:
            return None
        found = self.event_elsewhere(node, ModelLoad)
        return None if found is None else found[1]

    def module_elsewhere(self, node: cst.CSTNode, kind: type[E]) -> tuple[Path, cst.CSTNode] | None:
        """The file and the tree of the other module in which an origin is an event of a kind."""
        for other in self._program.adopted():
            event = other.ledger.event(cast("type[Event]", kind), node)
            if isinstance(event, kind) and other.path is not None:
                return other.path, other.module
        return None

    def called_at(self, node: cst.CSTNode) -> tuple[Value, ...]:
        """What is called at a node, where that is one of several values; nothing elsewhere."""
        return self._program.alternatives.get(cast("cst.Call", node), ())

    def make_known_to(self, program: Program) -> None:
        """Tells a module that calls of this one give it values."""
        program.know(self._program)

    def home_of(self, function: cst.CSTNode) -> tuple[Path, cst.CSTNode] | None:
        """The file and the tree of the module that defines a function; None for one that is not known."""
        facts = self._functions.get(cast("cst.FunctionDef", function))
        home = None if facts is None else facts.home
        return None if home is None or home.path is None else (home.path, home.module)

    def uses(self, encode: Encode) -> list[Generate | Forward]:
        """The generate and forward calls that an encoding reaches."""
        return self.once(_calls_by_encoding).get(encode.node, [])

    def escapes(self, encode: Encode) -> bool:
        """Whether some function gives an encoding, or a batch of them, to a caller that is not seen."""
        return encode.node in self.once(_escaping)

    def keeps(self, load: cst.Call) -> bool:
        """Whether a tokenizer leaves the function that loads it: returned, or set on an object."""
        return load in self.once(_kept)

    def is_passed(self, load: cst.Call) -> bool:
        """Whether a tokenizer is given to a function, or a call of a library."""
        return load in self.once(_passed)

    def is_row(self, encode: Encode) -> bool:
        """Whether a function makes a row with labels of an encoding: its ids are the row's."""
        return encode.node in self.once(_rows)

    def results(self) -> Iterator[tuple[cst.CSTNode, Value]]:
        """What each function of the module, or one that it calls, returns."""
        return ((node, facts.result) for node, facts in self._functions.items())

    def given(self) -> Iterator[Value]:
        """What is given to functions, and to calls of libraries."""
        yield from self._program.handed
        for site in self.events(CallSite):
            for argument in (*site.args.positional, *site.args.keywords.values()):
                yield argument.value
        for facts in self._functions.values():
            yield from facts.arguments.values()

    def attributes(self) -> Iterator[Value]:
        """What is set on the objects of the module's own classes."""
        for known in self._program.classes.values():
            yield from known.attributes.values()

    def model_id(self, argument: Argument | None) -> ModelId:
        """The model that an argument names."""
        return model_id_of(argument, self.settings)

    def result_of(self, value: Value) -> Value:
        """What a function that is passed around returns; unknown for anything else."""
        result: Value = UNKNOWN
        for option in options(value):
            if isinstance(option, FunctionRef) and option.node in self._functions:
                result = join(result, self._functions[option.node].result)
        return result


_Origins = Iterator["cst.CSTNode | None"]


def _escaping(flow: Flow) -> set[cst.CSTNode | None]:
    results = (value for node, value in flow.results() if isinstance(node, cst.FunctionDef))
    return {origin for value in results for origin in _encodings(value, 0)}


def _kept(flow: Flow) -> set[cst.CSTNode | None]:
    values = (*(value for _, value in flow.results()), *flow.attributes())
    return {origin for value in values for origin in _tokenizers(value, 0)}


def _passed(flow: Flow) -> set[cst.CSTNode | None]:
    return {origin for value in flow.given() for origin in _tokenizers(value, 0)}


def _rows(flow: Flow) -> set[cst.CSTNode | None]:
    return {origin for _, value in flow.results() for origin in _labelled(value)}


def _encodings(value: Value, depth: int) -> _Origins:
    """The encodings that a value is, or holds."""
    if depth > 3:
        return
    for option in options(value):
        if isinstance(option, Encoded):
            yield option.origin
        members: tuple[Value, ...] = ()
        if isinstance(option, Mapping):
            members = tuple(item for _, item in option.entries)
        elif isinstance(option, Sequence):
            members = option.items
        elif isinstance(option, Items):
            members = (option.element,)
        for member in members:
            yield from _encodings(member, depth + 1)


def _tokenizers(value: Value, depth: int) -> _Origins:
    """The loads of the tokenizers that a value is, or holds."""
    for option in options(value):
        if isinstance(option, Tokenizer):
            yield option.origin
        inner = [element_of(option)] if isinstance(option, (Items, Sequence)) else []
        if isinstance(option, Mapping):
            inner = [item for _, item in option.entries]
        for item in inner if depth < 3 else ():
            yield from _tokenizers(item, depth + 1)


def _labelled(value: Value) -> _Origins:
    """The encodings whose ids stand in a row with labels."""
    for option in options(value):
        if isinstance(option, Mapping) and option.get("labels") is not None:
            ids = option.get("input_ids") or UNKNOWN
            yield from (front.origin for front in map(front_of, options(ids)) if front)


def analyse(
    module: cst.Module,
    settings: Settings,
    path: Path | None = None,
    linker: Linker | None = None,
) -> Flow:
    """Walks a module until nothing more is learnt and returns what happens in it."""
    return Flow(run(Program(module, settings, path, linker)))


def run(program: Program) -> Program:
    """Walks a program until nothing more is learnt."""
    executor = Executor(program)
    for _ in range(MAX_ROUNDS):
        if not _walk(program, executor):
            break
    return program


def _walk(program: Program, executor: Executor) -> bool:
    """Walks a module's body and its functions, those left out that would learn nothing new.

    Returns:
        Whether anything was walked.
    """
    definitions, ledger = executor.definitions, program.ledger
    definitions.new_round()
    due = definitions.due
    walked = ledger.is_stale(None)
    if walked:
        before, set_before = program.globals.names, program.globals.state
        ledger.begin(None)
        program.globals.names = dict(before)
        program.globals.state = NOTHING_SET
        executor.run_body()
        for name, value in ledger.shared_names(None):  # set by functions, whenever those run
            program.globals.names[name] = join(program.globals.names.get(name, UNKNOWN), value)
        for function in definitions.take_pending():
            ledger.add(function)
        if program.globals.names != before or program.globals.state != set_before:
            definitions.forget_replays()
            due.update(unit for unit in ledger.units if unit is not None)
    for unit in _in_turn(ledger.units):
        if unit is None or not (
            unit in due
            or ledger.is_stale(unit, (unit, "arguments"))
            or (ledger.is_stale(unit) and definitions.is_called_anew(unit))
        ):
            continue
        walked = True
        definitions.run(unit)
        for inner in definitions.take_pending():  # the names around it may have changed
            due.add(inner)
            ledger.add(inner)
    return walked


def _in_turn(units: list[Unit]) -> Iterator[Unit]:
    """The parts of a module in the order of their walks: what sets attributes, then callers first.

    Whoever is called stands above its callers, mostly, and is walked when it is called.
    """
    known = len(units)
    functions = [unit for unit in units if unit is not None]
    yield from (unit for unit in functions if unit.name.value == "__init__")
    yield from (unit for unit in reversed(functions) if unit.name.value != "__init__")
    while known < len(units):  # more of them are found on the way
        yield units[known]
        known += 1


def _calls_by_encoding(flow: Flow) -> dict[cst.CSTNode, list[Generate | Forward]]:
    """The generate and forward calls that each encoding reaches."""
    found: dict[cst.CSTNode, list[Generate | Forward]] = {}
    calls: list[Generate | Forward] = [*flow.events(Generate), *flow.events(Forward)]
    for call in calls:
        if call.encoded is not None:
            given = (call.encoded, *encodings_in(call.args))
            for origin in dict.fromkeys(one.origin for one in given):
                found.setdefault(origin, []).append(call)
    return found
