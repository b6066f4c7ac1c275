"""What an expression can be: the kinds of values.

Values are frozen and compare by content, so that the walk can tell when another round changes
nothing. A value that comes from a call keeps that call as its `origin`: the key to its event.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

from cleanguard.catalogue.findings import Confidence
from cleanguard.catalogue.standing import Standing
from lint_rules._flow.values.record import by_content
from lint_rules._light import tree as cst

Scalar: TypeAlias = "str | bytes | int | float | complex | bool | None"


@by_content
class Unknown:
    """Nothing is known."""


UNKNOWN = Unknown()


@by_content
class Mixed(Unknown):
    """Too many alternatives to keep; unlike the unknown, nothing makes it known again."""


MIXED = Mixed()


@by_content
class Constant:
    """A literal.

    `fixed` is false for a default that the run may replace (environment, option), `optional` true where
    some way through the program leaves None instead.
    """

    value: Scalar
    fixed: bool = True
    optional: bool = False


@by_content
class Formatted:
    """An f-string or a sum of strings: the literal pieces are known, what stands between is not."""

    pieces: tuple[str, ...]
    rendered_chat: bool = False


@by_content
class Symbol:
    """Something imported, by its dotted name, e.g. `transformers.AutoTokenizer`."""

    name: str


@by_content
class FunctionRef:
    """A function of this module. `receiver` is set for a bound method."""

    node: cst.FunctionDef | cst.Lambda
    receiver: Value | None = None


@by_content
class ClassRef:
    """A class of this module."""

    node: cst.ClassDef


@by_content
class Instance:
    """An object of a class of this module."""

    node: cst.ClassDef


@by_content
class Partial:
    """functools.partial: a callable with arguments already given."""

    function: Value
    node: cst.Call


@by_content
class Method:
    """An attribute of a value that has no meaning yet: `tokenizer.encode` before the call."""

    receiver: Value
    name: str


@by_content
class ModelId:
    """The model that a load names; `text` is None when the program decides it at run time."""

    text: str | None
    standing: Standing
    fixed: bool = True


UNKNOWN_MODEL = ModelId(None, "unknown")


@by_content
class Tokenizer:
    """A tokenizer of a language model."""

    origin: cst.CSTNode | None
    model: ModelId = UNKNOWN_MODEL
    confidence: Confidence = "followed"
    guarded: bool = False


@by_content
class CausalLM:
    """A causal language model; `adapters` holds the calls that put a PEFT adapter on it."""

    origin: cst.CSTNode | None
    model: ModelId = UNKNOWN_MODEL
    confidence: Confidence = "followed"
    guarded: bool = False
    adapters: tuple[cst.CSTNode, ...] = ()


@by_content
class QuantConfig:
    """A quantization config object."""

    origin: cst.Call


@by_content
class Loader:
    """A CleanModelLoader; one that an annotation promises has no origin."""

    origin: cst.Call | None
    model: ModelId = UNKNOWN_MODEL


@by_content
class ChatText:
    """Text, or ids, that a chat template rendered.

    `cut` tells that its beginning was taken off, or is not known: a helper out of sight rendered it.
    """

    origin: cst.CSTNode
    cut: bool = False


@by_content
class Tokens:
    """The tokens that `tokenizer.tokenize` made of a text: no special ones are among them."""

    text: Value


@by_content
class Encoded:
    """What a tokenizer returned, or one member of it.

    Attributes:
        origin: The call of the tokenizer.
        tokenizer: Whose call.
        part: The member, `input_ids` or `attention_mask`.
        rendered: The text was a chat template's.
        cut: The first ids were taken off.
        padded: A call of `pad`, or of a collator, that made one batch of several.
    """

    origin: cst.Call
    tokenizer: Tokenizer
    part: str | None = None
    rendered: bool = False
    cut: bool = False
    padded: cst.Call | None = None


@by_content
class JoinedIds:
    """Token ids with more ids behind them: `prompt_ids + answer_ids` begins as its first part does."""

    front: Encoded


@by_content
class EncodedShape:
    """`.shape` of an encoded part."""

    origin: cst.Call


@by_content
class PromptLength:
    """The number of tokens of an encoded prompt."""

    origin: cst.Call


GeneratedForm = Literal["all", "sequences", "row", "completion", "completions"]


@by_content
class Generated:
    """What `generate` returned, or a part of it.

    `form` says which: everything, its `sequences`, one `row` with the prompt still in it, the
    `completion` of one row, or the `completions` of the batch (prompt cut off).
    """

    origin: cst.Call
    form: GeneratedForm = "all"


@by_content
class Decoded:
    """Text decoded from a generation; `completion` tells that the prompt is not in it."""

    origin: cst.Call
    completion: bool


@by_content
class Sequence:
    """A tuple or list with known members."""

    items: tuple[Value, ...]
    kind: Literal["tuple", "list"] = "tuple"


@by_content
class Items:
    """A collection whose members are alike; `count` is its length where a literal gives it."""

    element: Value
    count: int | None = None


@by_content
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


@by_content
class ModuleRef:
    """Another module of the same run."""

    path: str


@by_content
class LibraryObject:
    """What an imported callable returned, where only its name and its arguments matter."""

    symbol: str
    origin: cst.Call


@by_content
class Dataset:
    """A table of examples; `columns` is what is known of one row."""

    columns: Mapping
    count: int | None = None


@by_content
class Count:
    """The length of a collection, where a literal gives it."""

    value: int


@by_content
class GuardedText:
    """Text, or texts, that `CleanModelLoader.generate` returned."""

    origin: cst.Call


@by_content
class Provenance:
    """The provenance that `CleanModelLoader.load` returned."""

    origin: cst.Call


@by_content
class OptionParser:
    """argparse.ArgumentParser with the defaults of its options, and then the parsed namespace."""

    origin: cst.Call
    parsed: bool = False


@by_content
class Choice:
    """One of several values: branches joined."""

    options: tuple[Value, ...]


Value: TypeAlias = (
    "Unknown | Constant | Formatted | Symbol | FunctionRef | ClassRef | Instance | Partial | "
    "Method | Tokenizer | CausalLM | QuantConfig | Loader | ChatText | Tokens | Encoded | JoinedIds | "
    "EncodedShape | PromptLength | Generated | Decoded | Sequence | Items | Mapping | ModuleRef | LibraryObject | "
    "Dataset | Count | GuardedText | Provenance | OptionParser | Choice"
)
