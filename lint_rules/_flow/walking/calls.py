"""Reads calls: binds arguments, knows library calls, follows calls into own functions."""

from __future__ import annotations

from typing import Protocol

from lint_rules._flow.libraries.builtin_calls import builtin_call
from lint_rules._flow.libraries.hf_calls import HfCalls
from lint_rules._flow.libraries.rates import KEEPS_ITEMS, MEANS, items_averaged, items_in
from lint_rules._flow.libraries.seeds import seeds_torch, sounds_like_seeding
from lint_rules._flow.libraries.value_methods import (
    dataset_method,
    mapping_method,
    parser_method,
    row_of,
    text_method,
)
from lint_rules._flow.state import library_names
from lint_rules._flow.state.program import Cursor, Program
from lint_rules._flow.values.arguments import Argument, Arguments, collect
from lint_rules._flow.values.events import CallSite, Rate
from lint_rules._flow.values.joins import (
    UNKNOWN,
    CausalLM,
    ChatText,
    Choice,
    ClassRef,
    Constant,
    Dataset,
    Decoded,
    Encoded,
    Formatted,
    FunctionRef,
    Generated,
    GuardedText,
    Instance,
    Items,
    LibraryObject,
    Loader,
    Mapping,
    Method,
    OptionParser,
    Partial,
    Sequence,
    Symbol,
    Tokenizer,
    Unknown,
    Value,
    better,
    first,
    join,
    options,
)
from lint_rules._flow.values.scopes import Env
from lint_rules._flow.values.settings_state import SEED, with_setting
from lint_rules._flow.values.text import BOS_TEXTS, leads_with
from lint_rules._flow.walking.named_calls import named_call
from lint_rules._flow.walking.object_calls import HANDS_THROUGH, ObjectCalls
from lint_rules._flow.walking.own_calls import OwnCalls
from lint_rules._flow.walking.pad_masks import MASKING_CALLS, note_mask_in_call
from lint_rules._flow.walking.passed_calls import PassedCalls
from lint_rules._flow.walking.plain_calls import SETTERS, does_nothing
from lint_rules._light import tree as cst

_NOTHING = Arguments((), {}, (), False)
_TEXT_METHODS = frozenset(
    ["strip", "lstrip", "rstrip", "replace", "lower", "removeprefix", "removesuffix"]
)


class Evaluates(Protocol):
    """What a call reader needs of the evaluator."""

    program: Program
    cursor: Cursor

    def evaluate(self, node: cst.BaseExpression, env: Env) -> Value:
        """The value of an expression in a scope."""
        ...

    def attribute(self, base: Value, name: str) -> Value:
        """An attribute of one value."""
        ...


class CallReader:
    """Gives the value of a call."""

    def __init__(self, evaluator: Evaluates) -> None:
        self.evaluator = evaluator
        self.program = evaluator.program
        self.cursor = evaluator.cursor
        self.hf = HfCalls(evaluator.program, evaluator.cursor)
        self.own = OwnCalls(evaluator.program, evaluator.cursor)
        self.passed = PassedCalls(self._call)
        self.objects = ObjectCalls(evaluator.program, evaluator.cursor, self.hf)

    def read(self, node: cst.Call, env: Env) -> Value:
        """The value of a call expression."""
        function = self.evaluator.evaluate(node.func, env)
        args = self.arguments(node, env)
        called = node.func
        if isinstance(called, cst.Name):
            self.program.called_names.add(called.value)
        elif isinstance(called, cst.Attribute):
            if self.program.path_of(called) is not None:
                self.program.called_names.add(called.attr.value)
            if called.attr.value in MASKING_CALLS:
                given = (*args.positional, *args.keywords.values())
                note_mask_in_call(self.evaluator, node, [one.value for one in given], env)
        self.cursor.state = env.state
        if args is not _NOTHING:
            self.passed.beside(self.program, function, node, args, env)
        if isinstance(function, Unknown):
            return self._unknown_call(node, args, env)
        if type(function) is not Choice:
            return better(self._call(function, node, args, env))
        result: Value = UNKNOWN
        if not self.program.quiet:
            self.program.alternatives[node] = function.options
        for option in function.options:
            self.cursor.state = env.state
            result = join(result, self._call(option, node, args, env))
        return result

    def arguments(self, node: cst.Call, env: Env) -> Arguments:
        """The evaluated arguments of a call."""
        if not node.args:
            return _NOTHING
        positional: list[Argument] = []
        keywords: dict[str, Argument] = {}
        spread: list[Argument] = []
        evaluate = self.evaluator.evaluate
        for arg in node.args:
            expression = arg.value
            argument = Argument(evaluate(expression, env), expression, arg)
            if arg.star:
                spread.append(argument)
            elif arg.keyword is not None:
                keywords[arg.keyword.value] = argument
            else:
                positional.append(argument)
        return collect(positional, keywords, spread)

    def iterated(self, node: cst.BaseExpression, env: Env) -> Value:
        """What is iterated over when `x.items()` is: x, where that is an encoding."""
        if (
            isinstance(node, cst.Call)
            and isinstance(node.func, cst.Attribute)
            and node.func.attr.value == "items"
        ):
            return self.evaluator.evaluate(node.func.value, env)
        return UNKNOWN

    def _call(self, function: Value, node: cst.Call, args: Arguments, env: Env) -> Value:
        if isinstance(function, Symbol):
            return self._call_symbol(function.name, node, args, env)
        if isinstance(function, FunctionRef):
            return self.own.function(function, node, args, env)
        if isinstance(function, ClassRef):
            return self.own.construct(function, node, args, env)
        if isinstance(function, Tokenizer):
            return self.hf.encode(function, "__call__", node, args)
        if isinstance(function, CausalLM):
            return self.hf.forward(function, node, args)
        if isinstance(function, Instance):
            return self.own.instance(function, node, args, env)
        if isinstance(function, Partial):
            self.program.ledger.read(function.node)
            given = self.program.partials.get(function.node, _NOTHING).then(args)
            result: Value = UNKNOWN
            for option in options(function.function):
                result = join(result, self._call(option, node, given, env))
            return result
        if isinstance(function, Method):
            return self._call_method(function.receiver, function.name, node, args, env)
        if isinstance(function, LibraryObject):
            return self.objects.method(function, "__call__", node, args)
        return UNKNOWN

    def _unknown_call(self, node: cst.Call, args: Arguments, env: Env) -> Value:
        """A call of something unknown; a few methods are told by their names."""
        told = named_call(self.hf, node, args)
        if told is not None or not isinstance(node.func, cst.Attribute):
            return told or UNKNOWN
        name = node.func.attr.value
        if not args.positional:
            return UNKNOWN
        if sounds_like_seeding(name):
            env.state = with_setting(env.state, SEED, Constant(True))
        handed = (
            self.passed.by_name(name, node, args, env)
            if name != "map" or len(args.positional) > 1
            else None
        )
        if handed is not None:
            return handed
        if name in HANDS_THROUGH:
            given = tuple(argument.value for argument in args.positional)
            return given[0] if len(given) == 1 else Sequence(given)
        if name == "map":
            mapped = row_of(self._result_of(args.positional[0].value, node, env))
            return UNKNOWN if mapped is None else Dataset(mapped)
        return UNKNOWN

    def _result_of(self, function: Value, node: cst.Call, env: Env) -> Value:
        """What a function that is passed as an argument returns."""
        result: Value = UNKNOWN
        for option in options(function):
            if isinstance(option, (FunctionRef, Partial)):
                result = join(result, self._call(option, node, _NOTHING, env))
        return result

    def _call_symbol(self, name: str, node: cst.Call, args: Arguments, env: Env) -> Value:
        if not name.startswith("builtins."):
            self.program.record(CallSite(node, self.cursor.place(), name, UNKNOWN, "", args))
        if does_nothing(name):  # nearly all
            return UNKNOWN
        kind = library_names.kind_of_call(name)
        if kind is not None:
            env.begin_anew(node)
            return self.hf.library_call(kind, name, node, args, env)
        seeded = seeds_torch(name)
        if seeded is not None:
            env.state = with_setting(env.state, SEED, Constant(seeded))
        handed = self.passed.by_symbol(name, node, args, env)
        if handed is not None:
            return handed
        if name == "functools.partial" and args.positional:
            rest = Arguments(args.positional[1:], args.keywords, args.spread, args.opaque)
            known = self.program.partials.get(node)
            self.program.partials[node] = rest
            if known is None or known.values() != rest.values():
                self.program.ledger.change(node)
            given = args.positional[0].value
            return UNKNOWN if isinstance(given, Partial) else Partial(given, node)
        if name in SETTERS and len(args.positional) == 3:
            self._setattr(node, args, env)
            return UNKNOWN
        if name == "builtins.getattr" and len(args.positional) >= 2:
            attribute = first(args.positional[1].value, Constant)
            if attribute is not None and isinstance(attribute.value, str):
                return self.evaluator.attribute(args.positional[0].value, attribute.value)
            return UNKNOWN
        if name == "builtins.super":
            return self._parent(env)
        if name == "argparse.ArgumentParser":
            self.program.parser_defaults.setdefault(node, {})
            return OptionParser(node)
        if name in MEANS:
            self._rate(node, items_averaged(args))
        result = builtin_call(name, args)
        if isinstance(result, Unknown):
            return self.objects.made(name, node, args, env)
        return result

    def _rate(self, node: cst.Call, count: int | None) -> None:
        if count is not None:
            self.program.record(Rate(node, self.cursor.place(), count))

    def _parent(self, env: Env) -> Value:
        """What `super()` stands for: the class that is inherited from, where the run sees it."""
        facts = None if env.owner is None else self.program.classes.get(env.owner)
        return Instance(facts.parents[0]) if facts is not None and facts.parents else UNKNOWN

    def _setattr(self, node: cst.Call, args: Arguments, env: Env) -> None:
        attribute = first(args.positional[1].value, Constant)
        expression = args.positional[2].expression
        if attribute is not None and isinstance(attribute.value, str) and expression is not None:
            target, value = args.positional[0].value, args.positional[2].value
            self.hf.attribute_set(node, target, attribute.value, value, expression)
            env.set_on(target, attribute.value, value)

    # --- methods of known values

    def _call_method(
        self, receiver: Value, name: str, node: cst.Call, args: Arguments, env: Env
    ) -> Value:
        if isinstance(receiver, (Tokenizer, CausalLM, Dataset)):
            self.program.record(CallSite(node, self.cursor.place(), "", receiver, name, args))
        if isinstance(receiver, Tokenizer):
            return self.hf.tokenizer_method(receiver, name, node, args, env)
        if isinstance(receiver, CausalLM):
            return self.hf.model_method(receiver, name, node, args, env)
        if isinstance(receiver, Loader):
            return self.hf.loader_method(receiver, name, node, args)
        if isinstance(receiver, LibraryObject):
            return self.objects.method(receiver, name, node, args)
        if isinstance(receiver, Encoded):
            return self._encoded_method(receiver, name, node)
        if isinstance(receiver, Generated):
            return receiver if name in library_names.KEEPS_GENERATED else UNKNOWN
        if isinstance(receiver, ChatText) and name in ("replace", "removeprefix", "lstrip"):
            begins = args.value("old", 0)
            return ChatText(receiver.origin, cut=receiver.cut or leads_with(begins, BOS_TEXTS))
        if isinstance(receiver, ChatText) and (
            name in library_names.KEEPS_ENCODED or name == "get_prompt"
        ):
            return receiver  # the template gave ids; or FastChat's conversation, its text
        if isinstance(receiver, (Decoded, ChatText, GuardedText)):
            return receiver if name in _TEXT_METHODS else UNKNOWN
        return self._plain_method(receiver, name, node, args, env)

    def _plain_method(
        self, receiver: Value, name: str, node: cst.Call, args: Arguments, env: Env
    ) -> Value:
        if isinstance(receiver, OptionParser):
            return parser_method(self.program, receiver, name, args)
        if isinstance(receiver, Mapping):
            if name == "map" and args.positional:  # a DatasetDict
                mapped = self._result_of(args.positional[0].value, node, env)
                parts = tuple(
                    (key, dataset_method(part, name, args, mapped))
                    for key, part in receiver.entries
                    if isinstance(part, Dataset)
                )
                return Mapping(parts) if parts else UNKNOWN
            return mapping_method(receiver, name, args)
        if isinstance(receiver, Dataset):
            passed = args.value("function", 0)
            mapped = self._result_of(passed, node, env) if name == "map" else UNKNOWN
            return dataset_method(receiver, name, args, mapped)
        if isinstance(receiver, (Constant, Formatted)):
            return text_method(receiver, name, args)
        if isinstance(receiver, Items):
            if name == "mean":
                self._rate(node, items_in(receiver))
            return receiver if name in KEEPS_ITEMS else UNKNOWN
        return UNKNOWN

    def _encoded_method(self, receiver: Encoded, name: str, node: cst.Call) -> Value:
        if name in library_names.KEEPS_ENCODED:
            return receiver
        if name == "size" and node.args:
            return self.evaluator.attribute(receiver, "shape")
        if name in ("unsqueeze", "squeeze", "view", "reshape", "repeat", "expand"):
            return receiver
        return UNKNOWN
