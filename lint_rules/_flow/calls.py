"""Reads calls: binds arguments, knows library calls, follows calls into own functions."""

from __future__ import annotations

from typing import Protocol

import libcst as cst

from lint_rules._flow import library
from lint_rules._flow.arguments import Argument, Arguments, collect
from lint_rules._flow.builtin_calls import builtin_call
from lint_rules._flow.hf_calls import HfCalls
from lint_rules._flow.program import Cursor, Env, Function, Program
from lint_rules._flow.syntax import has_decorator
from lint_rules._flow.values import (
    UNKNOWN,
    CausalLM,
    ChatText,
    ClassRef,
    Constant,
    Decoded,
    Encoded,
    FunctionRef,
    Generated,
    Instance,
    Items,
    Loader,
    Mapping,
    Method,
    OptionParser,
    Partial,
    Sequence,
    Symbol,
    Tokenizer,
    Value,
    element_of,
    first,
    join,
    options,
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
        self.hf = HfCalls(evaluator.program, evaluator.cursor)

    def read(self, node: cst.Call, env: Env) -> Value:
        """The value of a call expression."""
        function = self.evaluator.evaluate(node.func, env)
        args = self.arguments(node, env)
        result: Value = UNKNOWN
        for option in options(function):
            result = join(result, self._call(option, node, args, env))
        return result

    def arguments(self, node: cst.Call, env: Env) -> Arguments:
        """The evaluated arguments of a call."""
        positional: list[Argument] = []
        keywords: dict[str, Argument] = {}
        spread: list[Argument] = []
        for arg in node.args:
            value = self.evaluator.evaluate(arg.value, env)
            argument = Argument(value, arg.value, arg)
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
            return self._call_function(function, args)
        if isinstance(function, ClassRef):
            return self._construct(function, args)
        if isinstance(function, Tokenizer):
            return self.hf.encode(function, "__call__", node, args)
        if isinstance(function, CausalLM):
            return self.hf.forward(function, node, args)
        if isinstance(function, Instance):
            return self._call_instance(function, args)
        if isinstance(function, Partial):
            return self._call(
                function.function, node, self.program.partials[function.node].then(args), env
            )
        if isinstance(function, Method):
            return self._call_method(function.receiver, function.name, node, args)
        return UNKNOWN

    def _call_symbol(self, name: str, node: cst.Call, args: Arguments, env: Env) -> Value:
        kind = library.kind_of_call(name)
        if kind is not None:
            return self.hf.library_call(kind, name, node, args)
        if name == "functools.partial" and args.positional:
            rest = Arguments(args.positional[1:], args.keywords, args.spread, args.opaque)
            self.program.partials[node] = rest
            return Partial(args.positional[0].value, node)
        if name == "builtins.setattr" and len(args.positional) == 3:
            self._setattr(node, args)
            return UNKNOWN
        if name == "builtins.getattr" and len(args.positional) >= 2:
            attribute = first(args.positional[1].value, Constant)
            if attribute is not None and isinstance(attribute.value, str):
                return self.evaluator.attribute(args.positional[0].value, attribute.value)
            return UNKNOWN
        if name == "builtins.super":
            return Instance(env.owner) if env.owner is not None else UNKNOWN
        if name == "argparse.ArgumentParser":
            self.program.parser_defaults.setdefault(node, {})
            return OptionParser(node)
        return builtin_call(name, args)

    def _setattr(self, node: cst.Call, args: Arguments) -> None:
        attribute = first(args.positional[1].value, Constant)
        expression = args.positional[2].expression
        if attribute is not None and isinstance(attribute.value, str) and expression is not None:
            target, value = args.positional[0].value, args.positional[2].value
            self.hf.attribute_set(node, target, attribute.value, value, expression)

    # --- the module's own functions and classes

    def _call_function(self, function: FunctionRef, args: Arguments) -> Value:
        facts = self.program.functions.get(function.node)
        if facts is None:
            return UNKNOWN
        self._pass_arguments(function.node, args, function.receiver)
        return facts.result

    def _pass_arguments(self, node: Function, args: Arguments, receiver: Value | None) -> None:
        params = node.params
        names = [parameter.name.value for parameter in (*params.posonly_params, *params.params)]
        if isinstance(node, cst.FunctionDef) and self._takes_receiver(node, receiver):
            names = names[1:]
        for name, argument in zip(names, args.positional, strict=False):
            self.program.add_argument(node, name, argument.value)
        keyword_only = {parameter.name.value for parameter in params.kwonly_params}
        extra = Mapping(())
        for name, argument in args.keywords.items():
            if name in names or name in keyword_only:
                self.program.add_argument(node, name, argument.value)
            else:
                extra = extra.put(name, argument.value)
        if params.star_kwarg is not None and extra.entries:
            self.program.add_argument(node, params.star_kwarg.name.value, extra)
        if isinstance(params.star_arg, cst.Param) and len(args.positional) > len(names):
            rest = Sequence(tuple(argument.value for argument in args.positional[len(names) :]))
            self.program.add_argument(node, params.star_arg.name.value, rest)
        self.program.functions[node].called = True

    def _takes_receiver(self, node: cst.FunctionDef, receiver: Value | None) -> bool:
        """Whether the call fills the first parameter by itself, with `self` or `cls`."""
        if self.program.functions[node].owner is None or has_decorator(node, "staticmethod"):
            return False
        return receiver is not None or has_decorator(node, "classmethod")

    def _construct(self, reference: ClassRef, args: Arguments) -> Value:
        facts = self.program.classes.get(reference.node)
        if facts is None:
            return UNKNOWN
        instance = Instance(reference.node)
        initializer = facts.methods.get("__init__")
        if initializer is not None:
            self._pass_arguments(initializer, args, instance)
            return instance
        for name, argument in zip(facts.fields, args.positional, strict=False):
            self.program.add_attribute(reference.node, name, argument.value)
        for name, argument in args.keywords.items():
            if name in facts.fields:
                self.program.add_attribute(reference.node, name, argument.value)
        return instance

    def _call_instance(self, instance: Instance, args: Arguments) -> Value:
        facts = self.program.classes.get(instance.node)
        method = (
            None if facts is None else facts.methods.get("__call__") or facts.methods.get("forward")
        )
        return (
            UNKNOWN if method is None else self._call_function(FunctionRef(method, instance), args)
        )

    # --- methods of known values

    def _call_method(self, receiver: Value, name: str, node: cst.Call, args: Arguments) -> Value:
        if isinstance(receiver, Tokenizer):
            return self.hf.tokenizer_method(receiver, name, node, args)
        if isinstance(receiver, CausalLM):
            return self.hf.model_method(receiver, name, node, args)
        if isinstance(receiver, Loader):
            return self.hf.loader_method(receiver, name, node, args)
        if isinstance(receiver, Encoded):
            return self._encoded_method(receiver, name, node)
        if isinstance(receiver, Generated):
            return receiver if name in library.KEEPS_GENERATED else UNKNOWN
        if isinstance(receiver, (Decoded, ChatText)):
            return (
                receiver
                if name in ("strip", "lstrip", "rstrip", "replace", "lower", "removeprefix")
                else UNKNOWN
            )
        if isinstance(receiver, OptionParser):
            return self._parser_method(receiver, name, args)
        if isinstance(receiver, Mapping):
            return _mapping_method(receiver, name, args)
        return UNKNOWN

    def _encoded_method(self, receiver: Encoded, name: str, node: cst.Call) -> Value:
        if name in library.KEEPS_ENCODED:
            return receiver
        if name == "size" and node.args:
            return self.evaluator.attribute(receiver, "shape")
        if name in ("unsqueeze", "squeeze", "view", "reshape", "repeat", "expand"):
            return receiver
        return UNKNOWN

    def _parser_method(self, parser: OptionParser, name: str, args: Arguments) -> Value:
        if name == "parse_args":
            return OptionParser(parser.origin, parsed=True)
        if name == "parse_known_args":
            return Sequence((OptionParser(parser.origin, parsed=True), UNKNOWN))
        if name in ("add_argument_group", "add_mutually_exclusive_group"):
            return parser
        if name == "add_argument":
            self._add_option(parser, args)
        return UNKNOWN

    def _add_option(self, parser: OptionParser, args: Arguments) -> None:
        spelled = [
            constant.value
            for constant in (first(argument.value, Constant) for argument in args.positional)
            if constant is not None and isinstance(constant.value, str)
        ]
        long = [text for text in spelled if text.startswith("--")] or spelled
        given = args.literal("dest")
        name = (
            given
            if isinstance(given, str)
            else (long[0].lstrip("-").replace("-", "_") if long else None)
        )
        default = first(args.value("default"), Constant)
        if name is not None and default is not None:
            self.program.parser_defaults[parser.origin][name] = Constant(default.value, fixed=False)


def _mapping_method(mapping: Mapping, name: str, args: Arguments) -> Value:
    if name == "copy":
        return mapping
    if name in ("get", "pop", "setdefault") and args.positional:
        key = first(args.positional[0].value, Constant)
        found = mapping.get(key.value) if key is not None else None
        fallback = args.positional[1].value if len(args.positional) > 1 else UNKNOWN
        return join(found, fallback) if found is not None else fallback
    if name == "values":
        merged = mapping.rest
        for _, value in mapping.entries:
            merged = join(merged, value)
        return Items(merged)
    if name == "items":
        merged = mapping.rest
        for _, value in mapping.entries:
            merged = join(merged, value)
        return Items(Sequence((element_of(mapping), merged)))
    if name == "keys":
        return Items(element_of(mapping))
    return UNKNOWN
