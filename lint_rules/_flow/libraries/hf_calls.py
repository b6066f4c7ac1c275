"""Calls into transformers, peft and CleanModelLoader: records their events, gives values."""

from __future__ import annotations

from dataclasses import replace

from lint_rules._flow.libraries.model_ids import model_id_of
from lint_rules._flow.libraries.prompt_ids import encoded_in, rows_in, takes_ids
from lint_rules._flow.state import library_names
from lint_rules._flow.state.program import Cursor, Program
from lint_rules._flow.values.arguments import Argument, Arguments
from lint_rules._flow.values.events import (
    AdapterAttach,
    AttributeSet,
    Decode,
    Encode,
    Forward,
    Generate,
    LoaderBuild,
    LoaderCall,
    ModelLoad,
    PipelineBuild,
    QuantConfigBuild,
    TemplateApply,
    TokenizerLoad,
)
from lint_rules._flow.values.joins import (
    UNKNOWN,
    UNKNOWN_MODEL,
    CausalLM,
    ChatText,
    Constant,
    Decoded,
    Encoded,
    Generated,
    GuardedText,
    Instance,
    Items,
    LibraryObject,
    Loader,
    Mapping,
    Method,
    ModelId,
    Provenance,
    QuantConfig,
    Sequence,
    Tokenizer,
    Tokens,
    Value,
    element_of,
    first,
    options,
)
from lint_rules._flow.values.scopes import Env
from lint_rules._flow.values.text import is_chat
from lint_rules._light import tree as cst

_PIPELINE = "transformers.pipeline"


class HfCalls:
    """The calls that the hazards are about."""

    def __init__(self, program: Program, cursor: Cursor) -> None:
        self.program = program
        self.cursor = cursor

    def model_id(self, argument: Argument | None) -> ModelId:
        """The model that a load's first argument names."""
        return model_id_of(argument, self.program.settings)

    # --- calls of imported names

    def library_call(
        self,
        kind: library_names.CallKind,
        api: str,
        node: cst.Call,
        args: Arguments,
        env: Env,
    ) -> Value:
        """A call of a name that `library_names.kind_of_call` knows."""
        place = self.cursor.place()
        if kind == "loader":
            model = self.model_id(
                args.get("model_id", 0) or args.get("model_name") or args.get("model")
            )
            self.program.record(LoaderBuild(node, place, model, args))
            return Loader(node, model)
        if kind == "loader-method":
            return self._loader_call(None, api.rsplit(".", 1)[-1], node, args)
        if kind == "quant-config":
            self.program.record(QuantConfigBuild(node, place, api, args))
            return QuantConfig(node)
        if kind == "pipeline":
            return self._pipeline(node, args)
        if kind == "adapter-wrap":
            return first(args.value("model", 0), CausalLM) or UNKNOWN
        if kind == "adapter-attach":
            return self._attach(node, args, env)
        model = self._named(args)
        if kind == "tokenizer-load":
            self.program.record(TokenizerLoad(node, place, api, model, args))
            return Tokenizer(node, model)
        wrapped = args.value("pretrained_model_name_or_path", 0)
        if isinstance(wrapped, CausalLM) and wrapped.confidence == "followed":
            return wrapped  # a value head around a model that is loaded already
        causal = self._model_load(api, node, args, model)
        return Sequence((causal, Tokenizer(node, model))) if kind == "pair-load" else causal

    def _named(self, args: Arguments) -> ModelId:
        return self.model_id(
            args.get("pretrained_model_name_or_path", 0) or args.get("model_name", 0)
        )

    def _model_load(
        self, api: str, node: cst.Call, args: Arguments, model: ModelId, *, watched: bool = False
    ) -> CausalLM:
        quantization = first(args.value("quantization_config"), QuantConfig)
        place = self.cursor.place()
        self.program.record(ModelLoad(node, place, api, model, args, quantization, watched))
        return CausalLM(node, model)

    def _pipeline(self, node: cst.Call, args: Arguments, *, watched: bool = False) -> Value:
        task = args.literal("task", 0)
        given = args.get("model", 1)
        loaded = None if given is None else first(given.value, CausalLM)
        model = self.model_id(given) if loaded is None else loaded.model
        name = task if isinstance(task, str) else None
        place = self.cursor.place()
        self.program.record(PipelineBuild(node, place, name, model, args, watched))
        return LibraryObject(_PIPELINE, node)

    def _attach(self, node: cst.Call, args: Arguments, env: Env) -> Value:
        base = first(args.value("model", 0), CausalLM)
        if base is None:
            return UNKNOWN
        self.program.record(AdapterAttach(node, self.cursor.place(), base, args))
        name = adapter_name(args, 2)
        if name is not None:
            env.set_on(args.value("model", 0), f"adapter {name}", Constant(True))
        return replace(base, adapters=(*base.adapters, node)[-4:])

    # --- methods

    def tokenizer_method(
        self, tokenizer: Tokenizer, name: str, node: cst.Call, args: Arguments, env: Env
    ) -> Value:
        """A method called on a tokenizer."""
        if name == "tokenize":
            return Tokens(args.value("text", 0))
        if name == "convert_tokens_to_ids":
            return self._ids_of_tokens(tokenizer, node, args)
        if name == "pad":
            return _padded(tokenizer, node, args.value("encoded_inputs", 0))
        if name == "add_special_tokens":
            added = first(args.value("special_tokens_dict", 0), Mapping) or Mapping(())
            for key, value in added.entries:
                env.set_on(tokenizer, str(key), value)
        if name in library_names.ENCODING_METHODS:
            return self.encode(tokenizer, name, node, args)
        if name in library_names.DECODING_METHODS:
            return self.decode(tokenizer, name, node, args)
        if name == "apply_chat_template":
            self.program.record(TemplateApply(node, self.cursor.place(), tokenizer, args))
            return ChatText(node)
        return UNKNOWN

    def encode(self, tokenizer: Tokenizer, method: str, node: cst.Call, args: Arguments) -> Value:
        """A tokenizer called on text."""
        text = args.value("text", 0)
        self.program.record(Encode(node, self.cursor.place(), tokenizer, method, text, args))
        part = "input_ids" if method == "encode" else None
        return Encoded(node, tokenizer, part, is_chat(text))

    def _ids_of_tokens(self, tokenizer: Tokenizer, node: cst.Call, args: Arguments) -> Value:
        """The ids of a text that `tokenize` split: as with `add_special_tokens=False`."""
        tokens = first(args.value("tokens", 0), Tokens)
        if tokens is None:
            return UNKNOWN
        method, text = "convert_tokens_to_ids", tokens.text
        self.program.record(Encode(node, self.cursor.place(), tokenizer, method, text, args))
        return Encoded(node, tokenizer, "input_ids", is_chat(text))

    def decode(self, tokenizer: Tokenizer, method: str, node: cst.Call, args: Arguments) -> Value:
        """Ids turned into text."""
        given = args.get("token_ids", 0) or args.get("sequences")
        source = UNKNOWN if given is None else given.value
        self.program.record(Decode(node, self.cursor.place(), tokenizer, method, source, args))
        generated = first(source, Generated) or first(element_of(source), Generated)
        if generated is None:
            return _special_token(source)
        text = Decoded(node, generated.form in ("completion", "completions"))
        return Items(text) if method == "batch_decode" else text

    def guessed_generate(self, node: cst.Call, args: Arguments, *, named: bool = False) -> Value:
        """`generate` of something unknown: a language model if a tokenizer's ids go in.

        Also one that is called so (`named`) and given ids from out of sight: whether they are text is
        told by what becomes of the result.
        """
        encoded = encoded_in(args)
        listed = rows_in(args) if encoded is None else None
        if listed is not None and not listed.tokenizer.guarded:
            # A list of ids goes to an engine of another library, whose settings are its own.
            model = CausalLM(None, confidence="named")
            self.program.record(Forward(node, self.cursor.place(), model, listed, args))
            return UNKNOWN
        if encoded is None and not (named and takes_ids(args)):
            return UNKNOWN
        if encoded is not None and encoded.tokenizer.guarded:
            return UNKNOWN
        model = CausalLM(None, confidence="named")
        self.program.record(Generate(node, self.cursor.place(), model, encoded, args))
        return Generated(node)

    def model_method(
        self, model: CausalLM, name: str, node: cst.Call, args: Arguments, env: Env
    ) -> Value:
        """A method called on a causal LM."""
        if name in ("unload", "merge_and_unload", "delete_adapter"):
            env.drop_settings(model, "adapter ")
        if name in library_names.KEEPS_MODEL:
            return model
        if name == "generate":
            self.program.record(Generate(node, self.cursor.place(), model, encoded_in(args), args))
            return Generated(node)
        if name in ("forward", "__call__"):
            return self.forward(model, node, args)
        if name == "load_adapter":
            loaded = adapter_name(args, 1)
            if loaded is not None:
                env.set_on(model, f"adapter {loaded}", Constant(True))
        return UNKNOWN

    def forward(self, model: CausalLM, node: cst.Call, args: Arguments) -> Value:
        """A causal LM called on encoded text."""
        self.program.record(Forward(node, self.cursor.place(), model, encoded_in(args), args))
        return UNKNOWN

    def loader_method(self, loader: Loader, name: str, node: cst.Call, args: Arguments) -> Value:
        """A method called on a CleanModelLoader."""
        return self._loader_call(loader, name, node, args)

    def _loader_call(
        self, loader: Loader | None, method: str, node: cst.Call, args: Arguments
    ) -> Value:
        if method.endswith("_watched"):
            return self._watched(method, node, args)
        self.program.record(LoaderCall(node, self.cursor.place(), loader, method, args))
        model = UNKNOWN_MODEL if loader is None else loader.model
        if method == "load":
            causal = CausalLM(node, model, guarded=True)
            return Sequence((causal, Tokenizer(node, model, guarded=True), Provenance(node)))
        if method == "load_tokenizer":
            return Tokenizer(node, model, guarded=True)
        if method == "attach_adapter":
            base = first(args.value("model", 0), CausalLM)
            return UNKNOWN if base is None else replace(base, adapters=(*base.adapters, node)[-4:])
        if method == "generate":
            return GuardedText(node)
        if method in ("generate_batch", "complete"):
            return Items(GuardedText(node))
        if method == "generate_ids":
            return Generated(node)
        if method == "encode":
            tokenizer = first(args.value("tokenizer", 0), Tokenizer) or Tokenizer(
                None, model, guarded=True
            )
            return Encoded(node, replace(tokenizer, guarded=True))
        return UNKNOWN

    def _watched(self, method: str, node: cst.Call, args: Arguments) -> Value:
        """A call that is handed on as it is written, and told of."""
        if method == "load_watched":
            api = f"guard.CleanModelLoader.{method}"
            return self._model_load(api, node, args, self._named(args), watched=True)
        if method == "pipeline_watched":
            return self._pipeline(node, args, watched=True)
        given = args.value("model", 0)
        model = first(given, CausalLM) or CausalLM(None, confidence="named")
        rest = Arguments(args.positional[1:], args.keywords, args.spread, args.opaque)
        place = self.cursor.place()
        self.program.record(Generate(node, place, model, encoded_in(rest), rest, watched=True))
        return Generated(node)

    # --- assignments to attributes

    def attribute_set(
        self,
        node: cst.CSTNode,
        target: Value,
        attribute: str,
        value: Value,
        expression: cst.BaseExpression,
    ) -> None:
        """`target.attribute = value` on a known object."""
        for option in options(target):
            if isinstance(option, (Tokenizer, CausalLM)):
                event = AttributeSet(
                    node, self.cursor.place(), option, attribute, value, expression
                )
                self.program.record(event)
                return
            if isinstance(option, Instance):
                self.program.add_attribute(option.node, attribute, value)


def adapter_name(args: Arguments, position: int) -> str | None:
    """The name that an adapter is put on a model under; None where it is made at run time."""
    given = args.get("adapter_name", position)
    if given is None:
        return "default"
    name = given.value
    said = name.value if isinstance(name, Constant) and name.fixed else None
    return said if isinstance(said, str) else None


def _padded(tokenizer: Tokenizer, node: cst.Call, rows: Value) -> Value:
    """One batch of several encodings, or of rows out of sight."""
    inner = first(rows, Encoded) or first(element_of(rows), Encoded)
    if inner is not None:
        return replace(inner, padded=node)
    return Encoded(node, tokenizer, padded=node)


def _special_token(ids: Value) -> Value:
    """`tokenizer.decode([tokenizer.bos_token_id])`: the token itself."""
    inner = first(ids, Method) or first(element_of(ids), Method)
    if inner is not None and inner.name.endswith("_token_id"):
        return Method(inner.receiver, inner.name.removesuffix("_id"))
    return UNKNOWN


def is_rendered(event: Encode) -> bool:
    """Whether the text of an encoding was rendered by a chat template."""
    return is_chat(event.text)
