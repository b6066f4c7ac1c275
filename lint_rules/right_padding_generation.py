"""CG302: a batch is generated from right-padded prompts, or without its attention mask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Fix
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.arguments import UNSET, Arguments
from lint_rules._flow.values.events import AttributeSet, CallSite, Encode, Place, TokenizerLoad
from lint_rules._flow.values.joins import (
    UNKNOWN,
    Constant,
    Formatted,
    Items,
    Sequence,
    Tokenizer,
    Value,
    count_of,
    first,
    options,
)
from lint_rules._flow.values.syntax import dotted
from lint_rules._light import tree as cst
from lint_rules._questions.beginnings import pads_left
from lint_rules._questions.generation import NO_ARGUMENTS, TextGeneration, text_generations
from lint_rules._questions.training import trains
from lint_rules.edits import Edit, add_keyword, replace
from lint_rules.rule import Report, Rule

_LEFT = Fix("safe", "pad on the left")
_MASK = Fix("safe", "pass the mask")


def _check(flow: Flow) -> Iterator[Report]:
    sides: set[cst.CSTNode] = set()
    for found in text_generations(flow):
        padding = _padding_of(found, flow)
        if padding is None or padding.tokenizer.guarded:
            continue
        if found.encode is not None and padding.args is found.encode.args:
            yield from _without_mask(found, found.encode)
        for report in _right_sides(padding, flow):
            if report.node not in sides:
                sides.add(report.node)
                yield report


@dataclass(frozen=True, slots=True, eq=False)
class _Padding:
    """Where a batch is padded, with whose tokenizer; `texts` are what is padded, if that is seen."""

    node: cst.Call
    place: Place
    tokenizer: Tokenizer
    args: Arguments
    texts: Value


def _padding_of(found: TextGeneration, flow: Flow) -> _Padding | None:
    """The padding of what a call of generate gets: by the tokenizer's call, by `pad`, by a collator."""
    encoded, encode = found.call.encoded, found.encode
    site = flow.event_at(None if encoded is None else encoded.padded, CallSite)
    if site is not None and encoded is not None:
        padder = first(site.receiver, Tokenizer) or encoded.tokenizer
        return _Padding(site.node, site.place, padder, NO_ARGUMENTS, UNKNOWN)
    if encode is not None and _pads(encode.args) and not _is_one(encode):
        return _Padding(encode.node, encode.place, encode.tokenizer, encode.args, encode.text)
    return None


def _is_one(encode: Encode) -> bool:
    """Whether a single text is padded to nothing but its own length."""
    if encode.args.literal("padding") == "max_length":
        return False
    text = encode.text
    return first(text, Constant) is not None or all(
        isinstance(option, Formatted) or (isinstance(option, Sequence) and count_of(option) == 1)
        for option in options(text)
    )


def _pads(args: Arguments) -> bool:
    given = args.literal("padding")
    return given is not UNSET and given not in (False, None, "do_not_pad")


def _without_mask(found: TextGeneration, encode: Encode) -> Iterator[Report]:
    """The ids alone go to generate: pad tokens are then read as text."""
    call = found.call
    part = None if call.encoded is None else call.encoded.part
    if part != "input_ids" or encode.method == "encode":
        return
    if "attention_mask" in call.args.keywords or call.args.opaque or call.args.spread:
        return
    edits = _mask_edits(call.node)
    yield Report(
        call.node,
        "a padded batch without its `attention_mask`: the pad tokens are read as part of the prompt",
        found.call.model.confidence,
        fix=_MASK if edits else None,
        edits=edits,
    )


def _mask_edits(call: cst.Call) -> tuple[Edit, ...]:
    """`attention_mask=` of the batch whose `input_ids` are given, where that is plain to see."""
    for argument in call.args:
        if argument.keyword is not None and argument.keyword.value not in ("input_ids", "inputs"):
            continue
        value = argument.value
        if isinstance(value, cst.Attribute) and isinstance(value.value, cst.Name):
            return add_keyword(call, f"attention_mask={value.value.value}.attention_mask")
        if isinstance(value, cst.Subscript) and isinstance(value.value, cst.Name):
            return add_keyword(call, f'attention_mask={value.value.value}["attention_mask"]')
    return ()


def _right_sides(padding: _Padding, flow: Flow) -> Iterator[Report]:
    """What makes a batch padded on the right: what is said last before it is padded counts."""
    given = padding.args.get("padding_side")
    if given is not None:
        if padding.args.literal("padding_side") == "right":
            yield _report(padding.node, given.expression, padding, flow)
        return
    said = padding.place.setting(padding.tokenizer, "padding_side")
    if said is not None:
        event = _where_said(padding, flow) if Constant("right") in options(said) else None
        if event is not None:
            yield _report(event.node, event.expression, padding, flow)
        return
    load = flow.event_at(padding.tokenizer.origin, TokenizerLoad)
    if load is None or load.args.opaque:
        return
    at_load = load.args.get("padding_side")
    if at_load is not None:
        if load.args.literal("padding_side") == "right":
            yield _report(load.node, at_load.expression, padding, flow)
    elif _is_a_batch(padding) and not pads_left(load.model):
        yield Report(
            padding.node,
            "nothing says `padding_side`, and most tokenizers pad on the right: pad tokens come between "
            "the prompt and what is generated",
            padding.tokenizer.confidence,
            severity="warning",
            remedy='say `padding_side="left"` where the tokenizer is loaded',
        )


def _report(
    node: cst.CSTNode, value: cst.BaseExpression | None, padding: _Padding, flow: Flow
) -> Report:
    edits = () if value is None or trains(flow) else replace(value, '"left"')
    message = "right padding puts pad tokens between the prompt and what is generated"
    fix = _LEFT if edits else None
    return Report(node, message, padding.tokenizer.confidence, fix=fix, edits=edits)


def _where_said(padding: _Padding, flow: Flow) -> AttributeSet | None:
    """The assignment that puts padding on the right: the last one before, of this function if any."""
    rights = [
        event
        for event in flow.events(AttributeSet)
        if event.attribute == "padding_side"
        and isinstance(event.target, Tokenizer)
        and event.target.origin is padding.tokenizer.origin
        and Constant("right") in options(event.value)
    ]
    here = [event for event in rights if event.place.function is padding.place.function]
    if not here:
        return rights[-1] if rights else None
    padded = flow.event_at(padding.node, CallSite) or flow.event_at(padding.node, Encode)
    end = 0 if padded is None else flow.order_of(padded)
    return next((one for one in reversed(here) if flow.order_of(one) < end), here[-1])


def _is_a_batch(padding: _Padding) -> bool:
    """Whether several prompts are padded: one alone gets no pad tokens."""
    if first(padding.texts, Constant) or first(padding.texts, Formatted):
        return False
    many = [option for option in options(padding.texts) if isinstance(option, (Sequence, Items))]
    if many:
        return all(count_of(option) != 1 for option in many)
    text = padding.args.get("text", 0)
    name = (dotted(text.expression) or "") if text is not None and text.expression else ""
    name = name.rpartition(".")[2].lower()
    return (name.endswith("s") and not name.endswith("ss")) or "batch" in name


RULE = Rule(
    hazards.RIGHT_PADDING_GENERATION,
    _check,
    bad=(
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
tokenizer.padding_side = "right"
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")
batch = tokenizer(prompts, padding=True, return_tensors="pt")
outputs = model.generate(**batch, max_new_tokens=8)
""",
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B", padding_side="left")
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")
batch = tokenizer(prompts, padding="longest", return_tensors="pt")
outputs = model.generate(batch.input_ids, max_new_tokens=8)
""",
    ),
    good=(
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B", padding_side="left")
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")
batch = tokenizer(prompts, padding=True, return_tensors="pt")
outputs = model.generate(batch.input_ids, attention_mask=batch.attention_mask)
""",
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")
one = tokenizer("A single prompt has no padding", return_tensors="pt")
outputs = model.generate(one.input_ids, max_new_tokens=8)
""",
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
tokenizer.padding_side = "right"
rows = rows.map(lambda row: tokenizer(row["text"], padding="max_length", max_length=512))
""",
    ),
)
