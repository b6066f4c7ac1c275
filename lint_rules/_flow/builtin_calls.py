"""What calls of the standard library keep of their arguments' values."""

from __future__ import annotations

from lint_rules._flow.arguments import Arguments
from lint_rules._flow.values import (
    UNKNOWN,
    Constant,
    Encoded,
    Items,
    Mapping,
    PromptLength,
    Sequence,
    Value,
    element_of,
    first,
)

_ENVIRONMENT = ("os.environ.get", "os.getenv", "os.environ.setdefault")
_SAME = ("builtins.list", "builtins.tuple", "builtins.sorted", "builtins.reversed", "tqdm.tqdm", "tqdm.auto.tqdm",
         "tqdm.trange", "builtins.iter", "copy.copy", "copy.deepcopy", "rich.progress.track")  # fmt: skip
_TEXT = ("builtins.str", "pathlib.Path", "os.path.expanduser", "os.path.abspath", "typing.cast")


def builtin_call(name: str, args: Arguments) -> Value:
    """The value of a call into the standard library, unknown where it does not matter."""
    given = [argument.value for argument in args.positional]
    if name in _ENVIRONMENT:
        default = first(args.value("default", 1), Constant)
        return UNKNOWN if default is None else Constant(default.value, fixed=False)
    if name == "builtins.dict":
        return _dict(args)
    if name == "builtins.len" and given:
        encoded = first(given[0], Encoded)
        return (
            PromptLength(encoded.origin)
            if encoded is not None and encoded.part is not None
            else UNKNOWN
        )
    if name in _SAME and given:
        return given[0] if isinstance(given[0], (Sequence, Items)) else Items(element_of(given[0]))
    if name in _TEXT and given:
        return given[-1] if name == "typing.cast" else given[0]
    if name == "builtins.next" and given:
        return element_of(given[0])
    if name == "builtins.enumerate" and given:
        return Items(Sequence((UNKNOWN, element_of(given[0]))))
    if name in ("builtins.zip", "itertools.product") and given:
        return Items(Sequence(tuple(element_of(value) for value in given)))
    return UNKNOWN


def _dict(args: Arguments) -> Value:
    mapping = Mapping(())
    if args.positional:
        base = first(args.positional[0].value, Mapping)
        if base is None:
            return UNKNOWN
        mapping = base
    for name, argument in args.keywords.items():
        mapping = mapping.put(name, argument.value)
    return mapping
