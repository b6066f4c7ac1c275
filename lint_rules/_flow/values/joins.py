"""Questions about values, and how branches join them.

Values are frozen and compare by content, so that the walk can tell when another round changes
nothing. Their kinds stand in `kinds`; this module is where everybody imports them from.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from lint_rules._flow.values.kinds import (
    MIXED,
    UNKNOWN,
    UNKNOWN_MODEL,
    CausalLM,
    ChatText,
    Choice,
    ClassRef,
    Constant,
    Count,
    Dataset,
    Decoded,
    Encoded,
    EncodedShape,
    Formatted,
    FunctionRef,
    Generated,
    GeneratedForm,
    GuardedText,
    Instance,
    Items,
    JoinedIds,
    LibraryObject,
    Loader,
    Mapping,
    Method,
    Mixed,
    ModelId,
    ModuleRef,
    OptionParser,
    Partial,
    PromptLength,
    Provenance,
    QuantConfig,
    Scalar,
    Sequence,
    Symbol,
    Tokenizer,
    Tokens,
    Unknown,
    Value,
)

__all__ = [
    "MAX_PIECES",
    "MIXED",
    "NESTING",
    "UNKNOWN",
    "UNKNOWN_MODEL",
    "CausalLM",
    "ChatText",
    "Choice",
    "ClassRef",
    "Constant",
    "Count",
    "Dataset",
    "Decoded",
    "Encoded",
    "EncodedShape",
    "Formatted",
    "FunctionRef",
    "Generated",
    "GeneratedForm",
    "GuardedText",
    "Instance",
    "Items",
    "JoinedIds",
    "LibraryObject",
    "Loader",
    "Mapping",
    "Method",
    "Mixed",
    "ModelId",
    "ModuleRef",
    "OptionParser",
    "Partial",
    "PromptLength",
    "Provenance",
    "QuantConfig",
    "Scalar",
    "Sequence",
    "Symbol",
    "Tokenizer",
    "Tokens",
    "Unknown",
    "Value",
    "as_mapping",
    "better",
    "bounded",
    "count_of",
    "element_of",
    "first",
    "front_of",
    "index_generated",
    "join",
    "options",
]

MAX_OPTIONS = 8
MAX_DEPTH = 5
MAX_PIECES = 32

NESTING = frozenset({Sequence, Items, Mapping, Choice})

V = TypeVar("V")


def options(value: Value) -> tuple[Value, ...]:
    """The alternatives of a value, itself if there are none."""
    return value.options if type(value) is Choice else (value,)


def first(value: Value, kind: type[V]) -> V | None:
    """The first alternative of one type, None if there is none."""
    if type(value) is not Choice:
        return value if isinstance(value, kind) else None
    return next((option for option in value.options if isinstance(option, kind)), None)


def front_of(value: Value) -> Encoded | None:
    """The encoding that ids are, or begin with."""
    if isinstance(value, JoinedIds):
        return value.front
    return value if isinstance(value, Encoded) else None


def join(left: Value, right: Value) -> Value:
    """What a value is after two branches. `None` and the unknown give way to anything better."""
    if left is right:
        return left
    one, other = type(left), type(right)
    if one is other and left == right:
        return left
    if one is Mixed or other is Mixed:
        return MIXED
    if _says_nothing(left):
        return UNKNOWN if _says_nothing(right) else _unless_none(right, left)
    if _says_nothing(right):
        return _unless_none(left, right)
    if (
        isinstance(left, Constant)
        and isinstance(right, Constant)
        and type(left.value) is type(right.value)
        and left.value == right.value
    ):
        return Constant(left.value, left.fixed and right.fixed, left.optional or right.optional)
    if one is not other and {one, other} != {Items, Sequence}:
        return _alternatives(left, right)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return _join_mappings(left, right)
    if (
        isinstance(left, Sequence)
        and isinstance(right, Sequence)
        and len(left.items) == len(right.items)
        and left.kind == right.kind
    ):
        return Sequence(
            tuple(join(a, b) for a, b in zip(left.items, right.items, strict=True)), left.kind
        )
    if isinstance(left, Items) and isinstance(right, Items):
        count = left.count if left.count == right.count else None
        return Items(join(left.element, right.element), count)
    if one is not other:  # one of them are items, the other a sequence
        return Items(join(element_of(left), element_of(right)))
    if isinstance(left, Dataset) and isinstance(right, Dataset):
        count = left.count if left.count == right.count else None
        return Dataset(_join_mappings(left.columns, right.columns), count)
    if isinstance(left, Formatted) and isinstance(right, Formatted):
        pieces = tuple(dict.fromkeys((*left.pieces, *right.pieces)))
        return Formatted(pieces[:MAX_PIECES], left.rendered_chat or right.rendered_chat)
    return _alternatives(left, right)


def _unless_none(value: Value, other: Value) -> Value:
    """A value that another way leaves None: of a literal, this is kept."""
    if isinstance(value, Constant) and isinstance(other, Constant) and not value.optional:
        return replace(value, optional=True)
    return value


def _alternatives(left: Value, right: Value) -> Value:
    merged = _without_guesses(tuple(dict.fromkeys((*options(left), *options(right)))))
    if len(merged) > MAX_OPTIONS:
        return MIXED
    return merged[0] if len(merged) == 1 else Choice(merged)


def better(value: Value) -> Value:
    """A value joined with the unknown."""
    return UNKNOWN if _says_nothing(value) and value is not MIXED else value


def element_of(value: Value) -> Value:
    """What iterating over a value gives."""
    result: Value = UNKNOWN
    for option in options(value):
        if isinstance(option, Items):
            result = join(result, option.element)
        elif isinstance(option, Sequence):
            for item in option.items:
                result = join(result, item)
        elif isinstance(option, Mapping):
            for key, _ in option.entries:
                result = join(result, Constant(key))
        elif isinstance(option, Generated):
            result = join(result, index_generated(option))
        elif isinstance(option, Dataset):
            result = join(result, option.columns)
        elif isinstance(option, GuardedText):
            result = join(result, option)
    return result


def count_of(value: Value) -> int | None:
    """The number of members of a collection, None where no literal gives it."""
    found = [option for option in options(value) if not _says_nothing(option)]
    if len(found) != 1:
        return None
    only = found[0]
    if isinstance(only, Sequence):
        return len(only.items)
    return only.count if isinstance(only, (Items, Dataset)) else None


def as_mapping(encoded: Encoded) -> Mapping:
    """An encoding spread into a dict."""
    names = ("input_ids", "attention_mask") if encoded.part is None else ()
    return Mapping(tuple((name, replace(encoded, part=name)) for name in names))


def index_generated(value: Generated) -> Value:
    """One row of generated ids."""
    if value.form in ("all", "sequences"):
        return Generated(value.origin, "row")
    if value.form == "completions":
        return Generated(value.origin, "completion")
    return UNKNOWN


def bounded(value: Value, depth: int = 0) -> Value:
    """The value without what nests deeper than `MAX_DEPTH`, so that rounds come to an end."""
    if type(value) not in NESTING:
        return value
    if depth >= MAX_DEPTH:
        return UNKNOWN
    if _is_flat(value):  # nearly all
        return value
    if isinstance(value, Sequence):
        return Sequence(tuple(bounded(item, depth + 1) for item in value.items), value.kind)
    if isinstance(value, Items):
        return Items(bounded(value.element, depth + 1), value.count)
    if isinstance(value, Mapping):
        entries = tuple((key, bounded(item, depth + 1)) for key, item in value.entries)
        return Mapping(entries, bounded(value.rest, depth + 1))
    if isinstance(value, Choice):
        return Choice(tuple(bounded(item, depth + 1) for item in value.options))
    return value


def _is_flat(value: Value) -> bool:
    """Whether no member of a value has members of its own."""
    members: list[Value] | tuple[Value, ...] = ()
    if isinstance(value, Sequence):
        members = value.items
    elif isinstance(value, Mapping):
        members = [value.rest, *(item for _, item in value.entries)]
    elif isinstance(value, Choice):
        members = value.options
    elif isinstance(value, Items):
        members = (value.element,)
    return NESTING.isdisjoint(map(type, members))


def _says_nothing(value: Value) -> bool:
    kind = type(value)
    if kind is Constant:
        return value.value is None  # type: ignore[union-attr]  # by its type
    return kind is Unknown or kind is Mixed


def _without_guesses(found: tuple[Value, ...]) -> tuple[Value, ...]:
    """Drops what was only annotated or guessed where the same kind of value was followed."""
    followed = {type(value) for value in found if _is_followed(value)}
    return tuple(value for value in found if _is_followed(value) or type(value) not in followed)


def _is_followed(value: Value) -> bool:
    if isinstance(value, Encoded):
        return value.tokenizer.confidence == "followed"
    if isinstance(value, (Tokenizer, CausalLM)):
        return value.confidence == "followed"
    return not isinstance(value, Unknown)


def _maybe(value: Value) -> Value:
    """A member that only one branch sets: a literal there says nothing about the other branch."""
    return MIXED if isinstance(value, Constant) else value


def _join_mappings(left: Mapping, right: Mapping) -> Mapping:
    keys = dict.fromkeys(key for key, _ in (*left.entries, *right.entries))
    entries: list[tuple[Scalar, Value]] = []
    for key in keys:
        a, b = left.get(key), right.get(key)
        entries.append((key, _maybe(a or b or UNKNOWN) if a is None or b is None else join(a, b)))
    return Mapping(tuple(entries), join(left.rest, right.rest))
