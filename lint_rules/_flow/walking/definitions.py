"""Functions and classes: their definitions, parameters and annotations; replays for single calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lint_rules._flow.state.library_names import (
    LOADER_CLASSES,
    guess_by_name,
    is_language_model_annotation,
)
from lint_rules._flow.state.program import ClassFacts, Function, FunctionFacts, Program
from lint_rules._flow.values.joins import (
    UNKNOWN,
    CausalLM,
    ClassRef,
    Constant,
    FunctionRef,
    Instance,
    Loader,
    Symbol,
    Tokenizer,
    Unknown,
    Value,
    first,
    join,
)
from lint_rules._flow.values.ledger import Summary
from lint_rules._flow.values.scopes import Env
from lint_rules._flow.values.settings_state import Key, State, merged_states
from lint_rules._flow.values.syntax import has_decorator
from lint_rules._flow.walking.annotations import members_of, parsed
from lint_rules._flow.walking.expressions import Evaluator
from lint_rules._light import tree as cst

# A call is followed with its own arguments this deep; below, what all callers pass is joined.
MAX_REPLAY_DEPTH = 4
MAX_REPLAYS = 400
# So many functions deep, one is run when another calls it and not in its turn.
MAX_DEMANDS = 6

RunBody = Callable[[cst.BaseCompoundStatement, cst.BaseSuite, Env], bool]


@dataclass(frozen=True, slots=True)
class _Replay:
    """What came of running a function for one call, and what that rests on."""

    result: Value
    reads: dict[Summary, int]
    since: int
    env: Env | None


class Definitions:
    """Defines functions and classes, and runs function bodies."""

    def __init__(self, program: Program, evaluator: Evaluator, run_body: RunBody) -> None:
        self.program = program
        self.evaluator = evaluator
        self._pending: list[cst.FunctionDef] = []
        self._run_body = run_body
        self._active: list[cst.FunctionDef] = []
        self._replays: dict[object, _Replay] = {}
        # Functions that must be run, and how many are being run, each called by the one before.
        self.due: set[cst.FunctionDef] = set()
        self._walking = 0
        # The parameters that a function was walked with.
        self._bound: dict[cst.FunctionDef, dict[str, Value]] = {}
        self._entered: dict[cst.FunctionDef, State] = {}
        self._budget = MAX_REPLAYS

    def function(self, node: cst.FunctionDef, env: Env) -> bool:
        """Defines a function; its body runs after the module's."""
        env.put(node.name.value, FunctionRef(node))
        if self.program.quiet:
            return True
        owner = env.owner if env.function is None and env.owner is not None else None
        facts = self.program.functions.get(node)
        if facts is None or facts.home is not self.program:
            given = dict(self.program.given.get(node, ()))
            self.program.functions[node] = FunctionFacts(env.scope, owner, given, home=self.program)
        else:
            facts.env = env.scope
        for decorator in node.decorators:
            self.evaluator.evaluate(decorator.decorator, env)
        self._pending.append(node)
        return True

    def class_(self, node: cst.ClassDef, env: Env) -> bool:
        """Defines a class."""
        facts = self.program.classes.get(node)
        if facts is None or facts.home is not self.program:
            facts = self.program.classes[node] = ClassFacts(env.scope, home=self.program)
        bases = [self.evaluator.evaluate(base.value, env) for base in node.bases]
        inherited = [found.node for base in bases if (found := first(base, ClassRef))]
        facts.parents = tuple(parent for parent in inherited if parent in self.program.classes)
        for parent in facts.parents:
            self._inherit(node, facts, parent)
        facts.bases = tuple(value.name for value in bases if isinstance(value, Symbol))
        body = Env(env, None, node)
        body.state = env.state
        self._run_body(node, node.body, body)
        for statement in node.body.body:
            if isinstance(statement, cst.FunctionDef):
                facts.methods[statement.name.value] = statement
            elif isinstance(statement, cst.SimpleStatementLine):
                for small in statement.body:
                    if isinstance(small, cst.AnnAssign) and isinstance(small.target, cst.Name):
                        facts.add_field(small.target.value)
        for name, value in body.names.items():
            if not isinstance(value, FunctionRef) and "." not in name:
                default = (
                    Constant(value.value, fixed=False) if isinstance(value, Constant) else value
                )
                self.program.add_attribute(node, name, default if name in facts.fields else value)
        env.put(node.name.value, ClassRef(node))
        return True

    def _inherit(self, node: cst.ClassDef, facts: ClassFacts, inherited: cst.ClassDef) -> None:
        base = self.program.classes[inherited]
        self.program.ledger.read(inherited)
        for name, method in base.methods.items():
            facts.methods.setdefault(name, method)
        for name, value in base.attributes.items():
            merged = join(facts.attributes.get(name, UNKNOWN), value)
            if merged != facts.attributes.get(name):
                facts.attributes[name] = merged
                self.program.ledger.change((node, name))
                self.program.ledger.change(node)
        facts.fields.extend(name for name in base.fields if name not in facts.fields)

    def run(self, node: cst.FunctionDef) -> None:
        """Runs a function with what all its callers pass."""
        facts = self.program.functions[node]
        self.due.discard(node)
        self._walking += 1
        made = self.program.ledger.made_by(node)
        self.program.ledger.begin(node)
        self.program.ledger.read((node, "arguments"))
        env = self._scope(node, facts)
        self._bind_parameters(node, facts, facts.arguments, env)
        self._bound[node] = dict(env.names)
        env.state = self._entered[node] = self._entry(node, facts, made)
        cursor = self.evaluator.cursor
        saved = (cursor.function, cursor.owner, cursor.parents)
        cursor.function, cursor.owner, cursor.parents = node, env.owner, ()
        falls = self._run_body(node, node.body, env)
        cursor.function, cursor.owner, cursor.parents = saved
        self._walking -= 1
        if env.state or env.exits:
            self._note_sets(node, facts, [*env.exits, env.state] if falls else env.exits)
        elif facts.sets:
            self._note_sets(node, facts, [env.state])

    def _entry(self, node: cst.FunctionDef, facts: FunctionFacts, made: set[cst.CSTNode]) -> State:
        """What objects are set to when a function begins; those that an earlier call made are others."""
        if facts.called:
            if not facts.entry:
                return facts.entry
            return {key: value for key, value in facts.entry.items() if key[1] not in made}
        self.program.ledger.read("births")
        born: dict[Key, Value] = {}
        for maker, state in self.program.births.items():
            if maker is not node:
                born.update(state)
        return {**born, **facts.env.state} if born else facts.env.state

    def _note_sets(self, node: cst.FunctionDef, facts: FunctionFacts, exits: list[State]) -> None:
        """Notes what a function leaves set, for its callers, and for all where it made the object."""
        left = merged_states(exits) if exits else {}
        entry = self._entered[node]
        sets = {key: value for key, value in left.items() if entry.get(key) != value}
        if sets != facts.sets:
            facts.sets = sets
            self.program.ledger.change(node)
            self.program.ledger.change((node, "sets"))
        if sets or node in self.program.births:
            made = {origin for _, origin in self.program.ledger.events}
            self.program.add_births(
                node, {key: value for key, value in sets.items() if key[1] in made}
            )

    def demand(self, node: Function) -> None:
        """Runs a function that another one calls before its turn, so that its result is known."""
        if (
            isinstance(node, cst.FunctionDef)
            and node in self.due
            and node not in self._bound
            and 0 < self._walking < MAX_DEMANDS
            and not self.program.quiet
        ):
            state = self.program.ledger.suspend()
            self.run(node)
            self.program.ledger.go_on(state)

    def is_called_anew(self, node: cst.FunctionDef) -> bool:
        """Whether what callers pass now binds the parameters of a walked function differently."""
        facts = self.program.functions[node]
        env = self._scope(node, facts)
        self.program.ledger.resume(node)
        self._bind_parameters(node, facts, facts.arguments, env)
        made = self.program.ledger.made_by(node)
        entry = self._entry(node, facts, made)
        return env.names != self._bound[node] or entry != self._entered[node]

    def replay(self, function: FunctionRef, arguments: dict[str, Value]) -> Value:
        """The result of a function for the arguments of one call; records nothing."""
        node = function.node
        facts = self.program.functions[node]
        if not isinstance(node, cst.FunctionDef):
            return facts.result
        key = (node, tuple(sorted(arguments.items(), key=lambda item: item[0])))
        ledger = self.program.ledger
        env = self._scope(node, facts)
        known = self._replays.get(key)
        if (
            known is not None
            and known.env is env.parent
            and ledger.is_current(known.reads, known.since)
        ):
            ledger.adopt(known.reads)
            return known.result
        if node in self._active or len(self._active) >= MAX_REPLAY_DEPTH or self._budget <= 0:
            return facts.result
        self._budget -= 1
        self._active.append(node)
        self.program.quiet += 1
        reads: dict[Summary, int] = {}
        outer = ledger.swap(reads)
        since = ledger.clock
        env.replayed = UNKNOWN
        self._bind_parameters(node, facts, arguments, env)
        self._run_body(node, node.body, env)
        self.program.quiet -= 1
        self._active.pop()
        ledger.swap(outer)
        ledger.adopt(reads)
        self._replays[key] = _Replay(env.replayed, reads, since, env.parent)
        return env.replayed

    def take_pending(self) -> list[cst.FunctionDef]:
        """The functions that were defined since this was asked last."""
        taken, self._pending = self._pending, []
        return taken

    def new_round(self) -> None:
        """Allows as many replays as in the round before."""
        self._budget = MAX_REPLAYS

    def forget_replays(self) -> None:
        """The names of the module have changed, which replays rest on."""
        self._replays = {}

    @staticmethod
    def _scope(node: cst.FunctionDef, facts: FunctionFacts) -> Env:
        outer = facts.env
        while outer.parent is not None and facts.owner is not None and outer.owner is facts.owner:
            outer = outer.parent  # a class body is no enclosing scope for its methods
        return Env(outer, node, facts.owner or facts.env.owner)

    def _bind_parameters(
        self, node: cst.FunctionDef, facts: FunctionFacts, given: dict[str, Value], env: Env
    ) -> None:
        joined = given is facts.arguments
        called = facts.called or not joined
        params = [*node.params.posonly_params, *node.params.params, *node.params.kwonly_params]
        if facts.owner is not None and params and not has_decorator(node, "staticmethod"):
            receiver = params.pop(0)
            bound = (
                ClassRef(facts.owner)
                if has_decorator(node, "classmethod")
                else Instance(facts.owner)
            )
            env.put(receiver.name.value, bound)
        for parameter in params:
            name = parameter.name.value
            value = given.get(name, UNKNOWN)
            if parameter.default is not None:
                default = self.evaluator.evaluate(parameter.default, facts.env)
                if isinstance(default, Constant):
                    default = Constant(default.value, fixed=False)
                is_open = not called or name not in given or (joined and name in facts.omitted)
                value = join(value, default) if is_open else value
            if _is_nothing(value):
                value = self.annotated(parameter.annotation, env)
            if _is_nothing(value) and parameter.annotation is None:
                value = _guess(name)
            env.put(name, value)
        for star in (node.params.star_arg, node.params.star_kwarg):
            if isinstance(star, cst.Param):
                env.put(star.name.value, given.get(star.name.value, UNKNOWN))

    def annotated(self, annotation: cst.Annotation | None, env: Env) -> Value:
        """The value that an annotation promises."""
        if annotation is None:
            return UNKNOWN
        for member in members_of(annotation.annotation):
            value = self._promised(self.evaluator.evaluate(member, env), env)
            if not isinstance(value, Unknown):
                return value
        return UNKNOWN

    def _promised(self, value: Value, env: Env) -> Value:
        if isinstance(value, ClassRef):
            return Instance(value.node)
        if isinstance(value, Constant) and isinstance(value.value, str):  # quoted
            for member in members_of(parsed(value.value)):
                found = self._promised(self.evaluator.evaluate(member, env), env)
                if not isinstance(found, Unknown):
                    return found
        if not isinstance(value, Symbol):
            return UNKNOWN
        if value.name.rsplit(".", 1)[-1] in LOADER_CLASSES:
            return Loader(None)
        kind = is_language_model_annotation(value.name)
        if kind == "tokenizer":
            return Tokenizer(None, confidence="annotated")
        return CausalLM(None, confidence="annotated") if kind == "model" else UNKNOWN


def _is_nothing(value: Value) -> bool:
    return isinstance(value, Unknown) or (isinstance(value, Constant) and value.value is None)


def _guess(name: str) -> Value:
    kind = guess_by_name(name)
    if kind == "tokenizer":
        return Tokenizer(None, confidence="named")
    return CausalLM(None, confidence="named") if kind == "model" else UNKNOWN
