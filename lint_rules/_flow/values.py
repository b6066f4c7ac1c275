"""What an expression can be.

Values are frozen and compare by content, so that the walk can tell when another round changes
nothing. A value that comes from a call keeps that call as its `origin`: the key to its event.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, TypeVar

import libcst as cst

from cleanguard.families import Standing
from cleanguard.findings import Confidence

Scalar: TypeAlias = "str | bytes | int | float | complex | bool | None"

MAX_OPTIONS = 8
MAX_DEPTH = 5


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing is known."""


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal. `fixed` is false for a default that the run may replace (environment, option)."""

    value: Scalar
    fixed: bool = True


@dataclass(frozen=True, slots=True)
class Formatted:
    """An f-string or a sum of strings: the literal pieces are known, what stands between is not."""

    pieces: tuple[str, ...]
    rendered_chat: bool = False


@dataclass(frozen=True, slots=True)
class Symbol:
    """Something imported, by its dotted name, e.g. `transformers.AutoTokenizer`."""

    name: str


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """A function of this module. `receiver` is set for a bound method."""

    node: cst.FunctionDef | cst.Lambda
    receiver: Value | None = None


@dataclass(frozen=True, slots=True)
class ClassRef:
    """A class of this module."""

    node: cst.ClassDef


@dataclass(frozen=True, slots=True)
class Instance:
    """An object of a class of this module."""

    node: cst.ClassDef


@dataclass(frozen=True, slots=True)
class Partial:
    """functools.partial: a callable with arguments already given."""

    function: Value
    node: cst.Call


@dataclass(frozen=True, slots=True)
class Method:
    """An attribute of a value that has no meaning yet: `tokenizer.encode` before the call."""

    receiver: Value
    name: str


@dataclass(frozen=True, slots=True)
class ModelId:
    """The model that a load names; `text` is None when the program decides it at run time."""

    text: str | None
    standing: Standing
    fixed: bool = True


UNKNOWN_MODEL = ModelId(None, "unknown")


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """A tokenizer of a language model."""

    origin: cst.CSTNode | None
    model: ModelId = UNKNOWN_MODEL
    confidence: Confidence = "followed"
    guarded: bool = False


@dataclass(frozen=True, slots=True)
class CausalLM:
    """A causal language model; `adapters` holds the calls that put a PEFT adapter on it."""

    origin: cst.CSTNode | None
    model: ModelId = UNKNOWN_MODEL
    confidence: Confidence = "followed"
    guarded: bool = False
    adapters: tuple[cst.CSTNode, ...] = ()


@dataclass(frozen=True, slots=True)
class QuantConfig:
    """A quantization config object."""

    origin: cst.Call


@dataclass(frozen=True, slots=True)
class Loader:
    """A CleanModelLoader."""

    origin: cst.Call
    model: ModelId = UNKNOWN_MODEL


@dataclass(frozen=True, slots=True)
class ChatText:
    """Text, or ids, that a chat template rendered."""

    origin: cst.CSTNode


@dataclass(frozen=True, slots=True)
class Encoded:
    """What a tokenizer returned, or one member of it (`part`, e.g. `input_ids`)."""

    origin: cst.Call
    tokenizer: Tokenizer
    part: str | None = None


@dataclass(frozen=True, slots=True)
class EncodedShape:
    """`.shape` of an encoded part."""

    origin: cst.Call


@dataclass(frozen=True, slots=True)
class PromptLength:
    """The number of tokens of an encoded prompt."""

    origin: cst.Call


GeneratedForm = Literal["all", "sequences", "row", "completion", "completions"]


@dataclass(frozen=True, slots=True)
class Generated:
    """What `generate` returned, or a part of it.

    `form` says which: everything, its `sequences`, one `row` with the prompt still in it, the
    `completion` of one row, or the `completions` of the batch (prompt cut off).
    """

    origin: cst.Call
    form: GeneratedForm = "all"


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text decoded from a generation; `completion` tells that the prompt is not in it."""

    origin: cst.Call
    completion: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    """A tuple or list with known members."""

    items: tuple[Value, ...]
    kind: Literal["tuple", "list"] = "tuple"


@dataclass(frozen=True, slots=True)
class Items:
    """A collection of unknown length whose members are alike."""

    element: Value


@dataclass(frozen=True, slots=True)
class Mapping:
    """A dict with literal keys; `rest` is what stands under keys that are not literal."""

    entries: tuple[tuple[Scalar, Value], ...]
    rest: Value = UNKNOWN

    def get(self, key: Scalar) -> Value | None:
        """The value under a literal key, None if there is none."""
        return next((value for name, value in self.entries if name == key), None)

    def put(self, key: Scalar, value: Value) -> Mapping:
        """This mapping with one entry set."""
        kept = tuple((name, old) for name, old in self.entries if name != key)
        return replace(self, entries=(*kept, (key, value)))


@dataclass(frozen=True, slots=True)
class OptionParser:
    """argparse.ArgumentParser with the defaults of its options, and then the parsed namespace."""

    origin: cst.Call
    parsed: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values: branches joined."""

    options: tuple[Value, ...]


Value: TypeAlias = (
    "Unknown | Constant | Formatted | Symbol | FunctionRef | ClassRef | Instance | Partial | "
    "Method | Tokenizer | CausalLM | QuantConfig | Loader | ChatText | Encoded | EncodedShape | "
    "PromptLength | Generated | Decoded | Sequence | Items | Mapping | OptionParser | Choice"
)

V = TypeVar("V")


def options(value: Value) -> Iterator[Value]:
    """The alternatives of a value, itself if there are none."""
    if isinstance(value, Choice):
        yield from value.options
    else:
        yield value


def first(value: Value, kind: type[V]) -> V | None:
    """The first alternative of one type, None if there is none."""
    return next((option for option in options(value) if isinstance(option, kind)), None)


def join(left: Value, right: Value) -> Value:
    """What a value is after two branches. `None` and the unknown give way to anything better."""
    if left == right:
        return left
    if _says_nothing(left):
        return right
    if _says_nothing(right):
        return left
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
        return Items(join(left.element, right.element))
    merged = _without_guesses(tuple(dict.fromkeys((*options(left), *options(right)))))
    if len(merged) > MAX_OPTIONS:
        return UNKNOWN
    return merged[0] if len(merged) == 1 else Choice(merged)


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
    return result


def index_generated(value: Generated) -> Value:
    """One row of generated ids."""
    if value.form in ("all", "sequences"):
        return Generated(value.origin, "row")
    if value.form == "completions":
        return Generated(value.origin, "completion")
    return UNKNOWN


def bounded(value: Value, depth: int = 0) -> Value:
    """The value without what nests deeper than `MAX_DEPTH`, so that rounds come to an end."""
    if depth >= MAX_DEPTH and isinstance(value, (Sequence, Items, Mapping, Choice)):
        return UNKNOWN
    if isinstance(value, Sequence):
        return Sequence(tuple(bounded(item, depth + 1) for item in value.items), value.kind)
    if isinstance(value, Items):
        return Items(bounded(value.element, depth + 1))
    if isinstance(value, Mapping):
        entries = tuple((key, bounded(item, depth + 1)) for key, item in value.entries)
        return Mapping(entries, bounded(value.rest, depth + 1))
    if isinstance(value, Choice):
        return Choice(tuple(bounded(item, depth + 1) for item in value.options))
    return value


def _says_nothing(value: Value) -> bool:
    return isinstance(value, Unknown) or (isinstance(value, Constant) and value.value is None)


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


def _join_mappings(left: Mapping, right: Mapping) -> Mapping:
    keys = dict.fromkeys(key for key, _ in (*left.entries, *right.entries))
    entries: list[tuple[Scalar, Value]] = []
    for key in keys:
        a, b = left.get(key), right.get(key)
        entries.append((key, join(a or UNKNOWN, b or UNKNOWN)))
    return Mapping(tuple(entries), join(left.rest, right.rest))
