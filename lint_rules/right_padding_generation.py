"""CG302: a batch is generated from right-padded prompts, or without its attention mask."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Fix
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.arguments import UNSET, Arguments
from lint_rules._flow.values.events import AttributeSet, Encode, TokenizerLoad
from lint_rules._flow.values.joins import Constant, Tokenizer
from lint_rules._questions.generation import TextGeneration, text_generations
from lint_rules._questions.training import trains
from lint_rules.edits import Edit, add_keyword, replace
from lint_rules.rule import Report, Rule

_LEFT = Fix("safe", "pad on the left")
_MASK = Fix("safe", "pass the mask")


def _check(flow: Flow) -> Iterator[Report]:
    sides: set[cst.CSTNode] = set()
    for found in text_generations(flow):
        encode = found.encode
        if encode is None or not _pads(encode.args) or encode.tokenizer.guarded:
            continue
        yield from _without_mask(found, encode)
        for node, value in _right_sides(encode, flow):
            if node not in sides:
                sides.add(node)
                edits = () if value is None or trains(flow) else replace(value, '"left"')
                message = "right padding puts pad tokens between the prompt and what is generated"
                fix = _LEFT if edits else None
                yield Report(node, message, encode.tokenizer.confidence, fix=fix, edits=edits)


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


def _right_sides(
    encode: Encode, flow: Flow
) -> Iterator[tuple[cst.CSTNode, cst.BaseExpression | None]]:
    """Where the tokenizer of an encoding is told to pad on the right; the last word counts."""
    given = encode.args.get("padding_side")
    if given is not None:
        if encode.args.literal("padding_side") == "right":
            yield encode.node, given.expression
        return
    last: AttributeSet | None = None
    for event in flow.events(AttributeSet):
        same = isinstance(event.target, Tokenizer) and event.target == encode.tokenizer
        if same and event.attribute == "padding_side":
            last = event
    if last is not None:
        if last.value == Constant("right"):
            yield last.node, last.expression
        return
    load = flow.event_at(encode.tokenizer.origin, TokenizerLoad)
    if load is not None and load.args.literal("padding_side") == "right":
        yield load.node, load.args.keywords["padding_side"].expression


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
