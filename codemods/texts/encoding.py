"""`tokenizer(prompt, …)` becomes `CleanModelLoader.encode(tokenizer, prompt)` where the ids are needed."""

from __future__ import annotations

import libcst as cst

from cleanguard.catalogue.families import family_of
from codemods.facts.intact_ids import refuse_bound
from codemods.facts.load_context import SPECIALS
from codemods.facts.own_tokens import load_text, refuse_own
from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Note
from codemods.script.purity import is_pure
from codemods.script.script import Script
from codemods.texts.prompts import prompt_code
from lint_rules._flow.values.arguments import Argument
from lint_rules._flow.values.events import AttributeSet, Encode
from lint_rules._flow.values.joins import Constant, Tokenizer, options

# What a tokenizer call may say besides the prompt, and the guard decides or does anyway.
DECIDED = (
    "text",
    "return_tensors",
    "add_special_tokens",
    "padding",
    "truncation",
    "max_length",
    "return_attention_mask",
    "return_token_type_ids",
    "padding_side",
    "verbose",
)


def prompt_of(encode: Encode) -> Argument:
    """The prompt argument of a tokenizer call that says nothing the guard has no place for.

    Raises:
        CannotRewrite: The prompt is not written out, or a keyword has no place.
    """
    if encode.method == "convert_tokens_to_ids":
        raise CannotRewrite("the prompt is tokenised in two steps, to tokens and then to ids")
    text = encode.args.get("text", 0)
    if text is None or text.expression is None:
        raise CannotRewrite("the prompt is not written out")
    if len(encode.args.positional) > 1 or encode.args.spread:
        raise CannotRewrite("the tokenizer call takes arguments that this tool does not take apart")
    for name, argument in encode.args.keywords.items():
        if name not in DECIDED:
            raise CannotRewrite(
                f"the keyword `{name}` of the tokenizer call has no place in the loader"
            )
        if name == "return_tensors" and argument.value != Constant("pt"):
            raise CannotRewrite("the prompt is not encoded to PyTorch tensors")
        pads = name == "return_attention_mask" and "padding" in encode.args.keywords
        if pads and encode.args.written(name) is not True:
            raise CannotRewrite("a padded batch is encoded without its mask")
        if name != "text" and argument.expression is not None and not is_pure(argument.expression):
            raise CannotRewrite(f"`{name}` of the tokenizer call is what a call gives")
    return text


def cuts(encode: Encode) -> bool:
    """Whether a tokenizer call may cut its text: told to, or given a length where nothing is padded."""
    given = encode.args.keywords
    if "truncation" in given and encode.args.written("truncation") is not None:
        return encode.args.written("truncation") is not False
    pads = "padding" in given and encode.args.written("padding") not in (False, None, "do_not_pad")
    return "max_length" in given and encode.args.written("max_length") is not None and not pads


def truncation_note(script: Script, encode: Encode) -> list[Note]:
    """What becomes of a prompt that used to be cut."""
    if not cuts(encode):
        return []
    limit = encode.args.get("max_length")
    said = None if limit is None else limit.expression
    size = "the tokenizer's length" if said is None else f"{script.code(said)} tokens"
    text = f"truncation to {size}: a prompt is no longer cut; one that does not fit raises"
    return [Note("changed", text, "where no prompt was longer", beyond="always", amends="uncut")]


def specials_note(encode: Encode) -> Note:
    """What becomes of the special tokens of a prompt that was encoded without any."""
    model = encode.tokenizer.model
    family = None if model.text is None else family_of(model.text)
    policy = "unknown" if family is None else family.bos
    if policy == "none":
        return Note("carried", "special tokens: none, as before; the ids are the same")
    if policy == "one":
        text = "special tokens: BOS, which `add_special_tokens=False` had dropped"
        return Note("changed", text, amends="bos")
    text = "special tokens: exactly the BOS that the family needs"
    return Note("changed", text, "where the family has none (Qwen, GPT-2, …)", amends="bos")


def receiver(call: cst.Call) -> cst.BaseExpression:
    """`model` of `model.generate(…)`; `tokenizer` of `tokenizer(…)` and of `tokenizer.encode(…)`."""
    function = call.func
    if isinstance(function, cst.Attribute) and function.attr.value in (
        "generate",
        "encode",
        "encode_plus",
        "batch_encode_plus",
    ):
        return function.value
    return function


def kept_encoding(script: Script, encode: Encode) -> Edit:
    """What becomes of a tokenizer call that something else reads as well: itself, where its ids are the guard's.

    The guard's own `encode` refuses texts before the script has looked at their ids.

    Raises:
        CannotRewrite: As `encoding_edit`.
    """
    edit = encoding_edit(script, encode)[0]
    said = encode.args.keywords.keys() <= {"text", "return_tensors", "return_attention_mask"}
    if not said or encode.args.opaque or len(encode.args.positional) > 1:
        return edit
    return Edit(edit.start, edit.end, script.utf8[edit.start : edit.end].decode())


def encoding_edit(script: Script, encode: Encode) -> tuple[Edit, list[Note]]:
    """Puts `CleanModelLoader.encode` in the place of a tokenizer call on a prompt.

    Raises:
        CannotRewrite: The call does not give PyTorch tensors, or takes what the loader has no place for.
    """
    refuse_other_specials(script, encode)
    refuse_bound(script, encode.node)
    text = prompt_of(encode)
    assert text.expression is not None
    if encode.args.written("return_tensors") != "pt":
        raise CannotRewrite("the prompt is not encoded to PyTorch tensors")
    code, notes = prompt_code(script, encode, text.expression)
    cuts = truncation_note(script, encode)
    notes += cuts
    limit = encode.args.get("max_length")
    arguments = [script.code(receiver(encode.node)), code]
    if cuts and limit is not None and limit.expression is not None:
        arguments.append(f"max_length={script.code(limit.expression)}")
    suffix = '["input_ids"]' if encode.method == "encode" else ""
    span = script.span(encode.node)
    call = f"CleanModelLoader.encode({', '.join(arguments)}){suffix}"
    return Edit(span.start, span.end, call), notes


def refuse_other_specials(script: Script, encode: Encode) -> None:
    """What a script tells its tokenizer to put around prompts, the guard would not put there."""
    refuse_own(script, encode)
    for event in script.flow.events(AttributeSet):
        if event.attribute in SPECIALS and _is_told(script, event, encode):
            line = script.line_of(event.node)
            raise CannotRewrite(
                f"line {line} sets `{event.attribute}`, and the guard puts the family's BOS, no other"
            )


def _is_told(script: Script, event: AttributeSet, encode: Encode) -> bool:
    """Whether a setting may be one of the tokenizer that makes a prompt: it, or a load of the same model."""
    told = [one.origin for one in options(event.target) if isinstance(one, Tokenizer)]
    if not told:
        return False
    if encode.tokenizer.origin is None or encode.tokenizer.origin in told:
        return True
    if script.code(event.node).startswith(script.code(receiver(encode.node)) + "."):
        return True
    names = [load_text(script, node) for node in (encode.tokenizer.origin, *told)]
    return names[0] is not None and names[0] in names[1:]
