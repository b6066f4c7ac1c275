"""Tokenise, generate, slice and decode by hand become one guarded call."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from codemods._chain import Chain, chain_of
from codemods._generate_keywords import carry_decode_keywords, carry_generate_keywords
from codemods._script import Script
from codemods._sites import CannotRewrite, Note, Site
from lint_rules._flow.events import Decode, Encode, Generate, ModelLoad
from lint_rules._flow.values import Constant, Formatted, Generated, element_of, first

_SUMMARY = "generate through CleanModelLoader"
_DROPPED_FROM_ENCODING = (
    "return_tensors",
    "add_special_tokens",
    "padding",
    "truncation",
    "max_length",
    "return_attention_mask",
    "return_token_type_ids",
    "padding_side",
)


@dataclass(frozen=True, slots=True)
class _Parts:
    """The three calls of one generation."""

    encode: Encode
    generate: Generate
    decode: Decode
    generated: Generated


def rewrite(script: Script, unmigrated: frozenset[cst.CSTNode]) -> list[Site]:
    """The sites of generations by hand.

    Args:
        script: The script.
        unmigrated: Loads that stay as they are; what they load cannot be generated with guarded calls.
    """
    sites: list[Site] = []
    for call in script.flow.events(Generate):
        encode = script.flow.event_at(call.encoded.origin if call.encoded else None, Encode)
        if not script.reports("CG301", call.node):
            continue
        try:
            sites += _rewrite(script, call, encode, unmigrated)
        except CannotRewrite as reason:
            sites.append(Site("CG301", call.node, _SUMMARY, reason=str(reason)))
    return sites


def _rewrite(
    script: Script, call: Generate, encode: Encode | None, unmigrated: frozenset[cst.CSTNode]
) -> list[Site]:
    _refuse_unguarded(script, call, unmigrated)
    if encode is None:
        raise CannotRewrite("the prompt's tokenisation cannot be followed to this call")
    parts = _parts(script, call, encode)
    chain = chain_of(script, parts.encode, parts.generate, parts.decode)
    replacement, notes = _guarded_call(script, parts, chain)
    edits = chain.edits(replacement)
    sites = [Site("CG301", call.node, _SUMMARY, edits, tuple(notes))]
    if encode.args.literal("add_special_tokens") is False:
        note = Note("changed", "special tokens: exactly the BOS that the family needs")
        sites.append(Site("CG201", encode.node, "tokenise with CleanModelLoader", (), (note,)))
    return sites


def _refuse_unguarded(script: Script, call: Generate, unmigrated: frozenset[cst.CSTNode]) -> None:
    if call.model.origin is None:
        raise CannotRewrite("where the model is loaded cannot be seen in this file")
    stays = [load for load in script.flow.events(ModelLoad) if load.node in unmigrated]
    if stays:
        line = script.line_of(stays[0].node)
        raise CannotRewrite(f"the model load in line {line} stays as it is")


def _parts(script: Script, call: Generate, encode: Encode) -> _Parts:
    found: list[_Parts] = []
    for decode in script.flow.events(Decode):
        generated = first(decode.source, Generated) or first(element_of(decode.source), Generated)
        if generated is not None and generated.origin is call.node:
            found.append(_Parts(encode, call, decode, generated))
    if not found:
        raise CannotRewrite("what it generates is not decoded in this function")
    if len(found) > 1:
        raise CannotRewrite("what it generates is decoded more than once")
    return found[0]


def _guarded_call(script: Script, parts: _Parts, chain: Chain) -> tuple[str, list[Note]]:
    notes: list[Note] = []
    prompt, batch = _prompt(script, parts, notes)
    given, more = carry_generate_keywords(script, parts.generate)
    notes += more
    decoding, more = carry_decode_keywords(script, parts.decode)
    notes += more
    if parts.generated.form in ("row", "all", "sequences"):
        decoding.append("return_full_text=True")
    model = script.code(_receiver(parts.generate.node))
    tokenizer = script.code(_receiver(parts.encode.node))
    name = "generate_batch" if batch else "generate"
    arguments = [model, tokenizer, prompt, *given, *decoding]
    head = f"CleanModelLoader.{name}"
    return script.call(head, arguments, chain.indent, chain.room), notes


def _receiver(call: cst.Call) -> cst.BaseExpression:
    """`model` of `model.generate(…)`; `tokenizer` of `tokenizer(…)` and of `tokenizer.encode(…)`."""
    function = call.func
    if isinstance(function, cst.Attribute) and function.attr.value in (
        "generate",
        "encode",
        "encode_plus",
    ):
        return function.value
    return function


def _prompt(script: Script, parts: _Parts, notes: list[Note]) -> tuple[str, bool]:
    """The prompt expression, and whether it is a batch."""
    encode = parts.encode
    text = encode.args.get("text", 0)
    if text is None or text.expression is None:
        raise CannotRewrite("the prompt is not written out")
    if len(encode.args.positional) > 1 or encode.args.spread:
        raise CannotRewrite("the tokenizer call takes arguments that this tool does not take apart")
    for name, argument in encode.args.keywords.items():
        if name not in (*_DROPPED_FROM_ENCODING, "text"):
            raise CannotRewrite(
                f"the keyword `{name}` of the tokenizer call has no place in the loader"
            )
        if name == "return_tensors" and argument.value != Constant("pt"):
            raise CannotRewrite("the prompt is not encoded to PyTorch tensors")
    if encode.args.literal("truncation") is True:
        limit = encode.args.get("max_length")
        size = (
            script.code(limit.expression) if limit is not None and limit.expression else "a length"
        )
        note = (
            f"truncation to {size} tokens: a prompt is no longer cut; one that does not fit raises"
        )
        notes.append(Note("changed", note))
    only = _single_item(text.expression)
    indexed = parts.decode.method == "batch_decode" and _takes_first(script, parts.decode)
    if parts.decode.method == "decode" or indexed:
        if isinstance(text.expression, cst.List) and only is None:
            raise CannotRewrite("a batch is encoded and only one row decoded")
        return script.code(only or text.expression), False
    if first(text.value, Constant) or first(text.value, Formatted):
        raise CannotRewrite("one prompt is encoded and a batch decoded")
    if "padding" not in encode.args.keywords and not isinstance(text.expression, cst.List):
        raise CannotRewrite("it cannot be told whether one prompt or a batch is encoded")
    return script.code(text.expression), True


def _single_item(node: cst.BaseExpression) -> cst.BaseExpression | None:
    if isinstance(node, cst.List) and len(node.elements) == 1:
        return node.elements[0].value
    return None


def _takes_first(script: Script, decode: Decode) -> bool:
    """Whether `batch_decode(…)` is followed by `[0]`."""
    end = script.span(decode.node).end
    return script.utf8[end : end + 3] == b"[0]"
