"""Functions that are handed to another one, which calls them: pools, threads, `map`, hydra."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from lint_rules._flow.state.library_names import kind_of_call
from lint_rules._flow.state.program import Program
from lint_rules._flow.values.arguments import Argument, Arguments, given_later
from lint_rules._flow.values.joins import (
    UNKNOWN,
    CausalLM,
    Constant,
    FunctionRef,
    Items,
    Mapping,
    Method,
    Partial,
    Symbol,
    Tokenizer,
    Unknown,
    Value,
    count_of,
    element_of,
    first,
    join,
    options,
)
from lint_rules._flow.values.scopes import Env
from lint_rules._light import tree as cst

Call = Callable[[Value, cst.Call, Arguments, Env], Value]
# Where the function stands among the positional arguments; those behind it are its own.
_HANDED: dict[str, int] = {
    "submit": 0,
    "to_thread": 0,
    "run_in_executor": 1,
    "run_sync": 0,
    "apply_async": 0,
}
_MAPS = frozenset({"map", "imap", "imap_unordered", "starmap", "thread_map", "process_map"})
_HYDRA = ("hydra.utils.instantiate", "hydra.utils.call", "hydra.instantiate")


_SYMBOLS = frozenset({"threading.Thread", "torch.utils.data.DataLoader", *_HYDRA})


@lru_cache(maxsize=65536)
def passing(symbol: str) -> str | None:
    """The last part of a name whose calls call what they are given, None for all others."""
    last = symbol.rsplit(".", 1)[-1]
    return last if symbol in _SYMBOLS or last in _MAPS or last in _HANDED else None


_SUBJECTS = (CausalLM, Tokenizer)


def _called(argument: Argument) -> str | None:
    """The name of a variable that is passed."""
    node = argument.expression
    return node.value if isinstance(node, cst.Name) else None


def _is_read(program: Program, function: Value) -> bool:
    """Whether the body of what is called is followed with its arguments."""
    if type(function) is FunctionRef:
        known = program.functions.get(function.node)
        return known is not None and known.home is program
    return not isinstance(function, (Unknown, Symbol))


class PassedCalls:
    """Follows a call that another function makes.

    Args:
        call: Gives the value of a call of a value.
    """

    def __init__(self, call: Call) -> None:
        self._call = call

    def by_symbol(self, name: str, node: cst.Call, args: Arguments, env: Env) -> Value | None:
        """What a call of an imported name gives if it calls what it is given, else None."""
        last = passing(name)
        if last is None:
            return None
        if name == "threading.Thread":
            passed = given_later(args.value("args"), args.value("kwargs"))
            for option in options(args.value("target", 1)):
                self._call(option, node, passed, env)
            return UNKNOWN
        if name in _HYDRA:
            return self._instantiate(node, args, env)
        if name == "torch.utils.data.DataLoader":
            made = self._result(args.value("collate_fn"), node, (UNKNOWN,), env)
            return None if made == UNKNOWN else Items(made)
        return self.by_name(last, node, args, env)

    def by_name(self, name: str, node: cst.Call, args: Arguments, env: Env) -> Value | None:
        """What a call gives, by the name of what is called: `pool.submit(f, x)`."""
        if name not in _HANDED and name not in _MAPS:
            return None
        position = _HANDED.get(name)
        if position is not None and len(args.positional) > position:
            passed = [argument.value for argument in args.positional[position + 1 :]]
            function = args.positional[position].value
            return self._result(function, node, tuple(passed), env, args.keywords)
        if name in _MAPS and len(args.positional) >= 2:
            given = [argument.value for argument in args.positional[1:]]
            element = self._result(
                args.positional[0].value, node, tuple(element_of(value) for value in given), env
            )
            return Items(element, count_of(given[0]))
        return None

    def beside(
        self, program: Program, function: Value, node: cst.Call, args: Arguments, env: Env
    ) -> None:
        """A function that is handed on beside a model: who calls it is out of sight, and what with is not.

        Its parameters get the models and tokenizers that are handed on under their names, as
        `run_eval(model, tokenizer, complete)` gives them to `complete(model, tokenizer, prompt)`.
        """
        for one in args.positional:
            if type(one.value) is FunctionRef:
                break
        else:
            for one in args.keywords.values():
                if type(one.value) is FunctionRef:
                    break
            else:
                return
        if _is_read(program, function):
            return
        given = [*((_called(one), one) for one in args.positional), *args.keywords.items()]
        subjects = {
            name: Argument(one.value, None, None)
            for name, one in given
            if name is not None and any(isinstance(v, _SUBJECTS) for v in options(one.value))
        }
        if not subjects:
            return
        for _, one in given:
            for option in options(one.value):
                if isinstance(option, FunctionRef):
                    params = option.node.params
                    names = {param.name.value for param in (*params.params, *params.kwonly_params)}
                    passed = {name: value for name, value in subjects.items() if name in names}
                    if passed:
                        self._call(option, node, Arguments((), passed, (), opaque=True), env)

    def _result(
        self,
        function: Value,
        node: cst.Call,
        passed: tuple[Value, ...],
        env: Env,
        keywords: dict[str, Argument] | None = None,
    ) -> Value:
        """What a function gives for these arguments; of a library's, only loads are followed."""
        args = Arguments(
            tuple(Argument(value, None, None) for value in passed), keywords or {}, (), opaque=False
        )
        result: Value = UNKNOWN
        for option in options(function):
            followed = isinstance(option, (FunctionRef, Partial, Method))
            if followed or (isinstance(option, Symbol) and kind_of_call(option.name) is not None):
                result = join(result, self._call(option, node, args, env))
        return result

    def _instantiate(self, node: cst.Call, args: Arguments, env: Env) -> Value:
        """`instantiate({"_target_": "transformers.AutoTokenizer.from_pretrained", …})`."""
        config = first(args.value("config", 0), Mapping)
        target = None if config is None else config.get("_target_")
        if config is None or not isinstance(target, Constant) or not isinstance(target.value, str):
            return UNKNOWN
        given = {
            str(key): Argument(value, None, None)
            for key, value in config.entries
            if isinstance(key, str) and not key.startswith("_")
        }
        return self._call(
            Symbol(target.value),
            node,
            Arguments((), {**given, **args.keywords}, (), opaque=False),
            env,
        )
