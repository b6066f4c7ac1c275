"""Calls of something unknown that are told by their names: `tokenizer(…)`, `self.model.generate(…)`."""

from __future__ import annotations

from lint_rules._flow.libraries.hf_calls import HfCalls
from lint_rules._flow.state.library_names import (
    DECODING_METHODS,
    SAMPLING_PARAMETERS,
    guess_by_name,
    guess_class_by_name,
    names_causal_model,
    translates,
)
from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.events import CallSite
from lint_rules._flow.values.joins import UNKNOWN, ChatText, LibraryObject, Tokenizer, Value, first
from lint_rules._flow.values.scopes import Env
from lint_rules._flow.values.syntax import dotted
from lint_rules._flow.walking.object_calls import HANDS_THROUGH
from lint_rules._light import tree as cst

_MODEL_NAMES = frozenset({"model", "lm", "llm", "net", "base_model", "policy", "language_model"})
# What a tokenizer is told, and hardly anything else.
_ENCODING_KEYWORDS = frozenset({"return_tensors", "truncation", "padding", "add_special_tokens"})
_NAMED = Tokenizer(None, confidence="named")


def named_call(hf: HfCalls, node: cst.Call, args: Arguments) -> Value | None:
    """What such a call gives; None where the names tell nothing."""
    if not isinstance(node.func, cst.Attribute):
        tells = not _ENCODING_KEYWORDS.isdisjoint(args.keywords)
        if tells and _is_tokenizer(node.func) and not translates(hf.program.imported_names):
            return hf.encode(_NAMED, "__call__", node, args)
        return UNKNOWN
    name = node.func.attr.value
    if name == "load_state_dict" and _is_a_model(node.func.value):
        hf.program.record(CallSite(node, hf.cursor.place(), "", UNKNOWN, name, args))
        return UNKNOWN
    if name == "get_prompt" and not node.args:
        return ChatText(node, cut=True)  # FastChat's conversations
    if name == "from_pretrained":
        return _load_by_a_class(hf, node, args)
    if name == "generate":
        if _takes_sampling_parameters(args):
            hf.program.record(CallSite(node, hf.cursor.place(), "", UNKNOWN, name, args))
            return UNKNOWN
        return hf.guessed_generate(node, args, named=_is_a_model(node.func.value))
    if name in DECODING_METHODS and _is_tokenizer(node.func.value):
        return hf.decode(_NAMED, name, node, args)
    return None


def _takes_sampling_parameters(args: Arguments) -> bool:
    """Whether vLLM's parameters are given, which only its engines take."""
    given = (*args.positional, *args.keywords.values())
    found = (first(one.value, LibraryObject) for one in given)
    return any(one is not None and one.symbol == SAMPLING_PARAMETERS for one in found)


def _load_by_a_class(hf: HfCalls, node: cst.Call, args: Arguments) -> Value:
    """A load by a class that is chosen at run time: what it loads is told by the name of the variable."""
    assert isinstance(node.func, cst.Attribute)
    name = (dotted(node.func.value) or "").rsplit(".", 1)[-1]
    kind = guess_class_by_name(name)
    if kind is None or not names_causal_model(hf.program.imported_names):
        hf.program.record(CallSite(node, hf.cursor.place(), "", UNKNOWN, "from_pretrained", args))
        return UNKNOWN
    return hf.library_call(kind, f"transformers.{name}.from_pretrained", node, args, Env())


def _is_a_model(node: cst.BaseExpression) -> bool:
    """Whether something unknown is a model by its name, and no optimizer."""
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.args:
        # `accelerator.unwrap_model(self.model)`
        return node.func.attr.value in HANDS_THROUGH and _is_a_model(node.args[0].value)
    parts = (dotted(node) or "").lower().split(".")
    return any(part in _MODEL_NAMES or part.endswith("_model") for part in parts)


def _is_tokenizer(node: cst.BaseExpression) -> bool:
    return guess_by_name((dotted(node) or "").rsplit(".", 1)[-1]) == "tokenizer"
