"""Calls of the functions and classes of the run: binds arguments, gives results."""

from __future__ import annotations

from lint_rules._flow.state.members import Members
from lint_rules._flow.state.program import Cursor, Function, FunctionFacts, Program
from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.events import CallSite, OwnCall
from lint_rules._flow.values.joins import (
    UNKNOWN,
    CausalLM,
    ChatText,
    ClassRef,
    Constant,
    Encoded,
    Formatted,
    FunctionRef,
    Generated,
    Instance,
    Items,
    LibraryObject,
    Mapping,
    Sequence,
    Symbol,
    Tokenizer,
    Unknown,
    Value,
    element_of,
    options,
)
from lint_rules._flow.values.scopes import Env
from lint_rules._flow.values.settings_state import Key
from lint_rules._flow.values.syntax import has_decorator
from lint_rules._light import tree as cst

# Values that a function of another module may turn into something; its own summary knows no caller.
_CARRIED = (Tokenizer, CausalLM, Encoded, ChatText, Generated, Mapping)
_PLAIN = (Unknown, Constant, Formatted, Symbol, Instance, LibraryObject)


def _is_plain(value: Value) -> bool:
    """Whether one call gets nothing that what all callers get together does not tell."""
    if isinstance(value, Sequence):
        return all(map(_is_unknown, value.items))
    if isinstance(value, Items):
        return _is_unknown(value.element)
    if isinstance(value, Mapping):
        return _is_unknown(value.rest) and all(_is_unknown(item) for _, item in value.entries)
    return isinstance(value, _PLAIN)


def _is_unknown(value: Value) -> bool:
    return isinstance(value, Unknown) or (
        isinstance(value, (Sequence, Items, Mapping)) and _is_plain(value)
    )


def _pays(facts: FunctionFacts, given: dict[str, Value], *, own: bool) -> bool:
    """Whether a replay can tell more than the joined result."""
    if not all(map(_is_plain, options(facts.result))):
        return True
    return not own and any(
        isinstance(option, _CARRIED) for value in given.values() for option in options(value)
    )


def _left_out(node: Function, given: dict[str, Value]) -> set[str]:
    """The parameters with defaults that a call says nothing of."""
    params = node.params
    return {
        parameter.name.value
        for parameter in (*params.posonly_params, *params.params, *params.kwonly_params)
        if parameter.default is not None and parameter.name.value not in given
    }


class OwnCalls:
    """Follows calls into code that the run can see."""

    def __init__(self, program: Program, cursor: Cursor) -> None:
        self.program = program
        self.cursor = cursor
        self._members = Members(program)

    def function(self, function: FunctionRef, node: cst.Call, args: Arguments, env: Env) -> Value:
        """The result of a function for these arguments, called from a scope."""
        facts = self.program.functions.get(function.node)
        if facts is None:
            return UNKNOWN
        if env.state:
            self.program.add_entry(function.node, env.state)
        given = self._bind(function.node, args, function.receiver)
        self._record(node, function.node, given, args)
        for name, value in given.items():
            self.program.add_argument(function.node, name, value)
        self._hand(facts, given)
        if not args.opaque:
            self.program.add_omitted(function.node, _left_out(function.node, given))
        if facts.home is self.program:
            if not self.program.quiet:
                self.program.mark_called(function.node, facts)
            self.program.demand(function.node)
            self.program.ledger.read(function.node)
        self._leave(function.node, facts, given, env)
        result = facts.result
        replay = None if facts.home is None else facts.home.replay
        if (
            replay is not None
            and _pays(facts, given, own=facts.home is self.program)
            and not self._shared(function.node, facts, given)
        ):
            result = replay(function, given)
        if isinstance(function.node, cst.FunctionDef) and has_decorator(
            function.node, "contextmanager", "asynccontextmanager"
        ):
            return element_of(result)
        return result

    def _record(
        self, node: cst.Call, function: Function, given: dict[str, Value], args: Arguments
    ) -> None:
        """Keeps a call that gives something: who is given a model may be asked."""
        if given or args.opaque:
            self.program.record(OwnCall(node, self.cursor.place(), function, given, args))

    def _hand(self, facts: FunctionFacts, given: dict[str, Value]) -> None:
        """Notes tokenizers that go to another module, whose own summary knows no caller."""
        if facts.home is self.program or self.program.quiet:
            return
        handed = (
            one for one in given.values() if any(isinstance(v, Tokenizer) for v in options(one))
        )
        self.program.handed.extend(handed)

    def _leave(
        self, node: Function, facts: FunctionFacts, given: dict[str, Value], env: Env
    ) -> None:
        """Takes over what a called function has set: later uses find it so."""
        if env.state and facts.home is self.program:
            made = self.program.ledger.made_by(node)
            if any(key[1] in made for key in env.state):
                env.state = {key: kept for key, kept in env.state.items() if key[1] not in made}
        if not facts.sets or self.program.quiet:
            return
        sets: dict[Key, Value] = dict(facts.sets)
        if facts.home is not self.program:  # there a parameter is any tokenizer
            for (kind, origin, attribute), value in facts.sets.items():
                if origin is None and kind == "Tokenizer":
                    for passed in given.values():
                        if isinstance(passed, Tokenizer):
                            sets[kind, passed.origin, attribute] = value
        env.state = {**env.state, **sets}

    def _shared(self, node: Function, facts: FunctionFacts, given: dict[str, Value]) -> bool:
        """Whether all callers pass what this one does, so that the joined result is what it gets."""
        if facts.home is not self.program:
            return False
        self.program.ledger.read((node, "arguments"))
        if not facts.omitted.isdisjoint(facts.arguments):
            return False  # some calls give it, others leave it
        return all(facts.arguments.get(name, UNKNOWN) == value for name, value in given.items())

    def construct(self, reference: ClassRef, node: cst.Call, args: Arguments, env: Env) -> Value:
        """A new object of a class."""
        facts = self.program.classes.get(reference.node)
        if facts is None:
            return UNKNOWN
        instance = Instance(reference.node)
        initializer = facts.methods.get("__init__")
        if initializer is not None:
            if env.state:
                self.program.add_entry(initializer, env.state)
            given = self._bind(initializer, args, instance)
            self._record(node, initializer, given, args)
            for name, value in given.items():
                self.program.add_argument(initializer, name, value)
            if not args.opaque:
                self.program.add_omitted(initializer, _left_out(initializer, given))
            known = self.program.functions.get(initializer)
            if known is not None:
                self._hand(known, given)
                self.program.ledger.read((initializer, "sets"))
                self._leave(initializer, known, given, env)
            return instance
        base = self._members.library_base(reference.node)
        if base is not None and base.endswith("Trainer"):  # which takes what the library's takes
            self.program.record(CallSite(node, self.cursor.place(), base, UNKNOWN, "", args))
        for name, argument in zip(facts.fields, args.positional, strict=False):
            self.program.add_attribute(reference.node, name, argument.value)
        for name, argument in args.keywords.items():
            if name in facts.fields:
                self.program.add_attribute(reference.node, name, argument.value)
        return instance

    def instance(self, instance: Instance, node: cst.Call, args: Arguments, env: Env) -> Value:
        """An object called like a function."""
        facts = self.program.classes.get(instance.node)
        if facts is None:
            return UNKNOWN
        method = facts.methods.get("__call__") or facts.methods.get("forward")
        if method is None:
            return UNKNOWN
        return self.function(FunctionRef(method, instance), node, args, env)

    def _bind(self, node: Function, args: Arguments, receiver: Value | None) -> dict[str, Value]:
        """What the parameters get."""
        given: dict[str, Value] = {}
        params = node.params
        names = [parameter.name.value for parameter in (*params.posonly_params, *params.params)]
        if isinstance(node, cst.FunctionDef) and self._takes_receiver(node, receiver):
            names = names[1:]
        for name, argument in zip(names, args.positional, strict=False):
            given[name] = argument.value
        keyword_only = {parameter.name.value for parameter in params.kwonly_params}
        extra = Mapping(())
        for name, argument in args.keywords.items():
            if name in names or name in keyword_only:
                given[name] = argument.value
            else:
                extra = extra.put(name, argument.value)
        if params.star_kwarg is not None and extra.entries:
            given[params.star_kwarg.name.value] = extra
        if isinstance(params.star_arg, cst.Param) and len(args.positional) > len(names):
            rest = Sequence(tuple(argument.value for argument in args.positional[len(names) :]))
            given[params.star_arg.name.value] = rest
        return given

    def _takes_receiver(self, node: cst.FunctionDef, receiver: Value | None) -> bool:
        """Whether the call fills the first parameter by itself, with `self` or `cls`."""
        if self.program.functions[node].owner is None or has_decorator(node, "staticmethod"):
            return False
        return receiver is not None or has_decorator(node, "classmethod")
