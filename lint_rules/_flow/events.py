"""What happens in a module: the calls and assignments that rules and rewrites look at.

Each event is recorded once per syntax node, with the values as they were known in the last round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import libcst as cst

from lint_rules._flow.arguments import Arguments
from lint_rules._flow.values import (
    CausalLM,
    Encoded,
    Loader,
    ModelId,
    QuantConfig,
    Tokenizer,
    Value,
)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where an event stands.

    Attributes:
        line: The simple statement line that holds it, None inside a compound statement's header.
        block: The statements of the innermost body, in order.
        index: Position in `block` of the statement that holds the event.
        function: The innermost function, None at module level.
        owner: The class whose method `function` is.
        parents: Enclosing compound statements, outermost first.
    """

    line: cst.SimpleStatementLine | None
    block: tuple[cst.BaseStatement | cst.BaseSmallStatement, ...]
    index: int
    function: cst.FunctionDef | None
    owner: cst.ClassDef | None
    parents: tuple[cst.BaseCompoundStatement, ...]


@dataclass(frozen=True, slots=True, eq=False)
class TokenizerLoad:
    """`AutoTokenizer.from_pretrained(…)` and its kin."""

    node: cst.Call
    place: Place
    api: str
    model: ModelId
    args: Arguments


@dataclass(frozen=True, slots=True, eq=False)
class ModelLoad:
    """`AutoModelForCausalLM.from_pretrained(…)` and its kin."""

    node: cst.Call
    place: Place
    api: str
    model: ModelId
    args: Arguments
    quantization: QuantConfig | None


@dataclass(frozen=True, slots=True, eq=False)
class QuantConfigBuild:
    """`BitsAndBytesConfig(…)` and its kin."""

    node: cst.Call
    place: Place
    api: str
    args: Arguments


@dataclass(frozen=True, slots=True, eq=False)
class AttributeSet:
    """`tokenizer.chat_template = None`, also through setattr: a known object is changed in place."""

    node: cst.CSTNode
    place: Place
    target: Value
    attribute: str
    value: Value
    expression: cst.BaseExpression


@dataclass(frozen=True, slots=True, eq=False)
class Encode:
    """A tokenizer called on text; `method` is `__call__`, `encode`, …"""

    node: cst.Call
    place: Place
    tokenizer: Tokenizer
    method: str
    text: Value
    args: Arguments


@dataclass(frozen=True, slots=True, eq=False)
class TemplateApply:
    """`tokenizer.apply_chat_template(…)`."""

    node: cst.Call
    place: Place
    tokenizer: Tokenizer
    args: Arguments


@dataclass(frozen=True, slots=True, eq=False)
class Forward:
    """A model called on encoded text."""

    node: cst.Call
    place: Place
    model: CausalLM
    encoded: Encoded | None
    args: Arguments


@dataclass(frozen=True, slots=True, eq=False)
class Generate:
    """`model.generate(…)`."""

    node: cst.Call
    place: Place
    model: CausalLM
    encoded: Encoded | None
    args: Arguments


@dataclass(frozen=True, slots=True, eq=False)
class Decode:
    """`tokenizer.decode(…)` or `batch_decode`."""

    node: cst.Call
    place: Place
    tokenizer: Tokenizer
    method: str
    source: Value
    args: Arguments


@dataclass(frozen=True, slots=True, eq=False)
class AdapterAttach:
    """`PeftModel.from_pretrained(model, path)`."""

    node: cst.Call
    place: Place
    model: CausalLM
    args: Arguments


@dataclass(frozen=True, slots=True, eq=False)
class LoaderBuild:
    """`CleanModelLoader(…)`."""

    node: cst.Call
    place: Place
    model: ModelId
    args: Arguments


@dataclass(frozen=True, slots=True, eq=False)
class LoaderCall:
    """A method called on a CleanModelLoader, or on the class itself."""

    node: cst.Call
    place: Place
    loader: Loader | None
    method: str
    args: Arguments


@dataclass(frozen=True, slots=True, eq=False)
class PipelineBuild:
    """`transformers.pipeline(…)`; `task` is None where it is not literal."""

    node: cst.Call
    place: Place
    task: str | None
    model: ModelId
    args: Arguments


@dataclass(frozen=True, slots=True, eq=False)
class CallSite:
    """Any call of an imported name, or of a method of a known value.

    Attributes:
        symbol: The dotted name of what is called; empty for a method.
        receiver: The value whose method is called; unknown for a symbol.
        method: The method's name, `__call__` for the value itself; empty for a symbol.
    """

    node: cst.Call
    place: Place
    symbol: str
    receiver: Value
    method: str
    args: Arguments


@dataclass(frozen=True, slots=True, eq=False)
class Unpack:
    """Several names assigned at once: `model, tokenizer = value`."""

    node: cst.Assign
    place: Place
    target: cst.Tuple | cst.List
    value: Value


@dataclass(frozen=True, slots=True, eq=False)
class MemberSet:
    """`container[key] = value`."""

    node: cst.Assign
    place: Place
    target: cst.Subscript
    value: Value


@dataclass(frozen=True, slots=True, eq=False)
class Rate:
    """A division by the length of a collection, or the mean of one, whose size a literal gives."""

    node: cst.CSTNode
    place: Place
    count: int


Event: TypeAlias = (
    TokenizerLoad
    | ModelLoad
    | QuantConfigBuild
    | AttributeSet
    | Encode
    | TemplateApply
    | Forward
    | Generate
    | Decode
    | AdapterAttach
    | LoaderBuild
    | LoaderCall
    | PipelineBuild
    | CallSite
    | Unpack
    | MemberSet
    | Rate
)
