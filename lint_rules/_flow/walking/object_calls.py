"""Objects of libraries of which only the name and the arguments matter: engines, parsers, collators."""

from __future__ import annotations

from lint_rules._flow.libraries.hf_calls import HfCalls
from lint_rules._flow.state import library_names
from lint_rules._flow.state.program import Cursor, Program
from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.events import CallSite
from lint_rules._flow.values.joins import (
    UNKNOWN,
    ChatText,
    ClassRef,
    Instance,
    LibraryObject,
    Method,
    Sequence,
    Tokenizer,
    Value,
    first,
)
from lint_rules._flow.values.scopes import Env
from lint_rules._light import tree as cst

# Methods of accelerate's and its like's objects that hand a model or a batch through.
_CAUSAL = ("ForCausalLM", "LMHeadModel", "AutoModelForCausalLM.from_config")
_COLLATOR = ".DataCollatorWithPadding"
HANDS_THROUGH = frozenset({"prepare", "prepare_model", "unwrap_model", "wait_for", "to_device"})


def gives_nothing(name: str) -> bool:
    """Whether calling an imported name gives no object of ours, whatever it is called with."""
    return not (
        name.endswith(_COLLATOR) or library_names.makes_object(name) or library_names.renders(name)
    )


class ObjectCalls:
    """Makes such objects and calls their methods."""

    def __init__(self, program: Program, cursor: Cursor, hf: HfCalls) -> None:
        self.program = program
        self.cursor = cursor
        self.hf = hf

    def made(self, name: str, node: cst.Call, args: Arguments, env: Env) -> Value:
        """What a library's callable gives where only its name and its arguments matter."""
        if name.endswith(_COLLATOR):
            collated = first(args.value("tokenizer", 0), Tokenizer)
            return UNKNOWN if collated is None else Method(collated, "pad")
        if library_names.makes_object(name):
            env.begin_anew(node)
            if name == "vllm.LLM":
                self.program.engines[node] = self.hf.model_id(args.get("model", 0))
            return LibraryObject(name, node)
        if library_names.renders(name):
            return ChatText(node, cut=True)
        return UNKNOWN

    def method(self, receiver: LibraryObject, name: str, node: cst.Call, args: Arguments) -> Value:
        """What a method of a library\'s object gives."""
        self.program.record(CallSite(node, self.cursor.place(), "", receiver, name, args))
        if receiver.symbol in library_names.DATACLASS_PARSERS and name.startswith("parse_"):
            return self._parsed_dataclasses(receiver)
        if name == "generate" and receiver.symbol.endswith(_CAUSAL):
            return self.hf.guessed_generate(node, args)
        if name in HANDS_THROUGH and args.positional:
            given = tuple(argument.value for argument in args.positional)
            return given[0] if len(given) == 1 else Sequence(given)
        if name == "get_tokenizer" and receiver.origin in self.program.engines:
            return Tokenizer(node, self.program.engines[receiver.origin])
        if name == "get_default_sampling_params":
            return LibraryObject(library_names.DEFAULT_PARAMETERS, node)
        return receiver if name in ("to", "cuda", "eval") else UNKNOWN

    def _parsed_dataclasses(self, parser: LibraryObject) -> Value:
        """`HfArgumentParser((A, B)).parse_args_into_dataclasses()`: an object of each."""
        built = self.program.ledger.event(CallSite, parser.origin)
        given = built.args.value("dataclass_types", 0) if isinstance(built, CallSite) else UNKNOWN
        classes = given.items if isinstance(given, Sequence) else (given,)
        instances = [Instance(one.node) for one in classes if isinstance(one, ClassRef)]
        return Sequence(tuple(instances)) if len(instances) == len(classes) else UNKNOWN
