"""What happens in a module: the calls and assignments that rules and rewrites look at.

Each event is recorded once per syntax node, with the values as they were known in the last round.
"""

from __future__ import annotations

from typing import TypeAlias

from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.joins import (
    CausalLM,
    Encoded,
    Loader,
    ModelId,
    QuantConfig,
    Tokenizer,
    Value,
)
from lint_rules._flow.values.record import by_identity
from lint_rules._flow.values.settings_state import State, key_of
from lint_rules._light import tree as cst


@by_identity
class Place:
    """Where an event stands.

    Attributes:
        line: The simple statement line that holds it, None inside a compound statement's header.
        block: The statements of the innermost body, in order.
        index: Position in `block` of the statement that holds the event.
        function: The innermost function, None at module level.
        owner: The class whose method `function` is.
        parents: Enclosing compound statements, outermost first.
        state: What objects are set to when the event happens.
    """

    line: cst.SimpleStatementLine | None
    block: tuple[cst.BaseStatement | cst.BaseSmallStatement, ...]
    index: int
    function: cst.FunctionDef | None
    owner: cst.ClassDef | None
    parents: tuple[cst.BaseCompoundStatement, ...]
    state: State

    def setting(self, owner: Value, attribute: str) -> Value | None:
        """What an object's attribute was last set to; None if nothing that is seen has set it."""
        key = key_of(owner, attribute)
        return None if key is None else self.state.get(key)


@by_identity
class TokenizerLoad:
    """`AutoTokenizer.from_pretrained(…)` and its kin."""

    node: cst.Call
    place: Place
    api: str
    model: ModelId
    args: Arguments


@by_identity
class ModelLoad:
    """`AutoModelForCausalLM.from_pretrained(…)` and its kin; watched, `CleanModelLoader.load_watched(…)`."""

    node: cst.Call
    place: Place
    api: str
    model: ModelId
    args: Arguments
    quantization: QuantConfig | None
    watched: bool = False


@by_identity
class QuantConfigBuild:
    """`BitsAndBytesConfig(…)` and its kin."""

    node: cst.Call
    place: Place
    api: str
    args: Arguments


@by_identity
class AttributeSet:
    """`tokenizer.chat_template = None`, also through setattr: a known object is changed in place."""

    node: cst.CSTNode
    place: Place
    target: Value
    attribute: str
    value: Value
    expression: cst.BaseExpression


@by_identity
class Encode:
    """A tokenizer called on text; `method` is `__call__`, `encode`, …"""

    node: cst.Call
    place: Place
    tokenizer: Tokenizer
    method: str
    text: Value
    args: Arguments


@by_identity
class TemplateApply:
    """`tokenizer.apply_chat_template(…)`."""

    node: cst.Call
    place: Place
    tokenizer: Tokenizer
    args: Arguments


@by_identity
class Forward:
    """A model called on encoded text."""

    node: cst.Call
    place: Place
    model: CausalLM
    encoded: Encoded | None
    args: Arguments


@by_identity
class Generate:
    """`model.generate(…)`; watched, `CleanModelLoader.generate_watched(model, …)`."""

    node: cst.Call
    place: Place
    model: CausalLM
    encoded: Encoded | None
    args: Arguments
    watched: bool = False


@by_identity
class Decode:
    """`tokenizer.decode(…)` or `batch_decode`."""

    node: cst.Call
    place: Place
    tokenizer: Tokenizer
    method: str
    source: Value
    args: Arguments


@by_identity
class AdapterAttach:
    """`PeftModel.from_pretrained(model, path)`."""

    node: cst.Call
    place: Place
    model: CausalLM
    args: Arguments


@by_identity
class LoaderBuild:
    """`CleanModelLoader(…)`."""

    node: cst.Call
    place: Place
    model: ModelId
    args: Arguments


@by_identity
class LoaderCall:
    """A method called on a CleanModelLoader, or on the class itself."""

    node: cst.Call
    place: Place
    loader: Loader | None
    method: str
    args: Arguments


@by_identity
class PipelineBuild:
    """`transformers.pipeline(…)`; `task` is None where it is not literal; watched, of a CleanModelLoader."""

    node: cst.Call
    place: Place
    task: str | None
    model: ModelId
    args: Arguments
    watched: bool = False


@by_identity
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


@by_identity
class OwnCall:
    """A call of a function of the run, or of a class for its `__init__`, with what it gives the parameters.

    Attributes:
        function: What is called, in this module or in another one.
        given: The values by the names of the parameters; those left to their defaults are not in it.
        args: As they are written; where another function makes the call, as that one is given them.
    """

    node: cst.Call
    place: Place
    function: cst.FunctionDef | cst.Lambda
    given: dict[str, Value]
    args: Arguments


@by_identity
class Unpack:
    """Several names assigned at once: `model, tokenizer = value`."""

    node: cst.Assign
    place: Place
    target: cst.Tuple | cst.List
    value: Value


@by_identity
class MemberSet:
    """`container[key] = value`."""

    node: cst.Assign
    place: Place
    target: cst.Subscript
    value: Value


@by_identity
class PadMask:
    """Labels that hold -100 where ids are the pad token; `tokenizer` is whose, if that is known."""

    node: cst.CSTNode
    place: Place
    tokenizer: Tokenizer | None


@by_identity
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
    | OwnCall
    | Unpack
    | MemberSet
    | PadMask
    | Rate
)
