"""The guarded call that takes the place of tokenise, generate and decode, as text."""

from __future__ import annotations

from typing import Literal

import libcst as cst

from codemods.facts.load_context import padding_note
from codemods.facts.unseen_ids import mask_note
from codemods.generation.given_prompts import refuse_given
from codemods.generation.mode import mode_note
from codemods.generation.rounding import rounding_note
from codemods.plan.sites import CannotRewrite, Note
from codemods.script.script import Script
from codemods.settings.generate_keywords import carry_decode_keywords, carry_generate_keywords
from codemods.texts.encoding import (
    prompt_of,
    receiver,
    refuse_other_specials,
    truncation_note,
)
from codemods.texts.prompt_cut import refuse_other_cuts
from codemods.texts.prompts import prompt_code
from lint_rules._flow.values.events import Decode, Encode, Generate
from lint_rules._flow.values.joins import (
    Constant,
    Encoded,
    Formatted,
    Items,
    Sequence,
    first,
)
from lint_rules._flow.values.syntax import dotted

Many = Literal["one", "many", "unclear"]

_NEVER = (False, None, "do_not_pad")
_LISTS = ("List", "list", "Sequence", "Iterable", "tuple", "Tuple")


def arguments_of(
    script: Script,
    encode: Encode,
    generate: Generate,
    decode: Decode,
    *,
    full: bool,
    prompt: tuple[str, list[Note]],
) -> tuple[list[str], list[Note]]:
    """The arguments of the guarded call, and what became of the old calls' keywords.

    Raises:
        CannotRewrite: A keyword has no place in the guarded call.
    """
    prompt_of(encode)
    refuse_other_cuts(script, encode, generate, decode)
    if decode.tokenizer.origin is not encode.tokenizer.origin:
        raise CannotRewrite("it is decoded with another tokenizer than it was tokenised with")
    refuse_other_specials(script, encode)
    text, told = prompt
    notes = [*told, *truncation_note(script, encode), *mask_note(generate)]
    refuse_read_padding(encode, generate)
    if one_or_many(encode) != "one":
        notes += padding_note(script, encode)
    given, more = carry_generate_keywords(script, generate)
    _refuse_total_length(encode, generate, given)
    notes += more
    decoding, more = carry_decode_keywords(script, generate, decode)
    notes += [*more, *mode_note(script, generate), *rounding_note(script, generate)]
    if full:
        decoding.append("return_full_text=True")
    model = script.code(receiver(generate.node))
    tokenizer = script.code(receiver(encode.node))
    return [model, tokenizer, text, *given, *decoding], notes


def refuse_read_padding(encode: Encode, generate: Generate) -> None:
    """Padding that the model reads as text: of one prompt, or of a batch that goes without its mask."""
    padding = encode.args.written("padding")
    if "padding" not in encode.args.keywords or padding in _NEVER:
        return
    if padding == "max_length" and one_or_many(encode) != "many":
        raise CannotRewrite("one prompt is padded to a length, and the guard does not pad it")
    args = generate.args
    masked = "attention_mask" in args.keywords or any(
        first(argument.value, Encoded) is not None for argument in args.spread
    )
    if not masked and one_or_many(encode) != "one":
        raise CannotRewrite("a padded batch goes without its mask: its padding was read as text")


def _refuse_total_length(encode: Encode, generate: Generate, given: list[str]) -> None:
    """`max_length` of a batch counted its padding, so that shorter prompts got shorter answers."""
    names = {*generate.args.keywords, *(argument.partition("=")[0] for argument in given)}
    if (
        "max_length" in names
        and "max_new_tokens" not in names
        and one_or_many(encode) != "one"
        and not _equally_long(encode)
    ):
        raise CannotRewrite(
            "`max_length` counts the padding of a batch as well; name `max_new_tokens` in the call"
        )


def _equally_long(encode: Encode) -> bool:
    """Whether a batch becomes a tensor without being padded, which only equally long prompts do."""
    args = encode.args
    pads = "padding" in args.keywords and args.written("padding") not in _NEVER
    return "return_tensors" in args.keywords and not pads and not args.spread


def one_or_many(encode: Encode) -> Many:
    """Whether a tokenizer call encodes one prompt or a batch."""
    text = prompt_of(encode)
    expression = text.expression
    assert expression is not None
    if single_item(expression) is not None or _is_text(expression):
        return "one"
    if isinstance(expression, (cst.List, cst.ListComp)):
        return "many"
    one = first(text.value, Constant) or first(text.value, Formatted)
    many = first(text.value, Sequence) or first(text.value, Items)
    if one or many:
        return "unclear" if one and many else "one" if one else "many"
    annotated = _annotation(expression, encode)
    if annotated is not None:
        return "many" if annotated in _LISTS else "one" if annotated == "str" else "unclear"
    name = (dotted(expression) or "").rpartition(".")[2].lower()
    several = name.endswith("s") or "batch" in name or "list" in name
    pads = "padding" in encode.args.keywords and encode.args.written("padding") not in _NEVER
    if pads:  # one prompt may be padded as well, to a length
        return "many" if several else "unclear"
    return "one" if name and not several else "unclear"


def _is_text(node: cst.BaseExpression) -> bool:
    """Whether an expression gives one text for certain: `str(rows)`, `" ".join(rows)`."""
    if not isinstance(node, cst.Call):
        return False
    if isinstance(node.func, cst.Attribute):
        return node.func.attr.value == "join"
    return isinstance(node.func, cst.Name) and node.func.value in ("str", "repr", "format")


def single_item(node: cst.BaseExpression) -> cst.BaseExpression | None:
    """The member of a list display with one member."""
    if isinstance(node, cst.List) and len(node.elements) == 1:
        element = node.elements[0]
        return None if isinstance(element, cst.StarredElement) else element.value
    return None


def one_prompt(script: Script, encode: Encode) -> tuple[str, list[Note]]:
    """The prompt as an argument of `generate`.

    Raises:
        CannotRewrite: A batch is encoded.
    """
    expression = prompt_of(encode).expression
    assert expression is not None
    only = single_item(expression)
    if only is None and one_or_many(encode) == "many":
        raise CannotRewrite("a batch is encoded and only one row decoded")
    refuse_given(script, encode, expression, "list")
    return prompt_code(script, encode, only or expression)


def many_prompts(script: Script, encode: Encode) -> tuple[str, list[Note]]:
    """The prompts as an argument of `generate_batch`.

    Raises:
        CannotRewrite: It cannot be told whether there are several.
    """
    expression = prompt_of(encode).expression
    assert expression is not None
    shape = one_or_many(encode)
    if shape == "unclear":
        raise CannotRewrite("it cannot be told whether one prompt or a batch is encoded")
    if shape == "many":
        refuse_given(script, encode, expression, "text")
    else:
        refuse_given(script, encode, expression, "list")
    code, notes = prompt_code(script, encode, expression)
    return code if shape == "many" or isinstance(expression, cst.List) else f"[{code}]", notes


def takes_first(script: Script, decode: Decode) -> bool:
    """Whether `batch_decode(…)` is followed by `[0]`."""
    end = script.span(decode.node).end
    return decode.method == "batch_decode" and script.utf8[end : end + 3] == b"[0]"


def _annotation(expression: cst.BaseExpression, encode: Encode) -> str | None:
    """The outermost name of a parameter's annotation: `str`, `List`."""
    function = encode.place.function
    if function is None or not isinstance(expression, cst.Name):
        return None
    params = function.params
    for parameter in (*params.posonly_params, *params.params, *params.kwonly_params):
        if parameter.name.value == expression.value and parameter.annotation is not None:
            node = parameter.annotation.annotation
            node = node.value if isinstance(node, cst.Subscript) else node
            return (dotted(node) or "").rpartition(".")[2]
    return None
