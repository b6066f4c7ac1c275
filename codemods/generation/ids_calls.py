"""Generations from ids: the call itself becomes `CleanModelLoader.generate_ids`, and all around it stays.

That is for ids that come from where they cannot be seen, are cut or put together, or of which more is used than
a completion has. What is tokenised and decoded stays the script's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import libcst as cst

from codemods.facts.intact_ids import changes_ids, joins_ids, refuse_bound
from codemods.facts.own_tokens import pads_itself
from codemods.facts.receiver import loader_at
from codemods.facts.unseen_ids import FROM_IDS, has_bos, mask_note, refuse_unseen, says
from codemods.generation.guarded_call import one_or_many, refuse_read_padding
from codemods.generation.mode import mode_note
from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Note, Site
from codemods.script.model_uses import origins_of
from codemods.script.script import Script
from codemods.settings.generate_keywords import refuse_other_mask
from codemods.settings.ids_keywords import hands_on, settings_of_ids
from codemods.texts.decoded_bos import refuse_decoded
from codemods.texts.encoding import receiver
from lint_rules._flow.values.arguments import Argument
from lint_rules._flow.values.events import AttributeSet, Encode, Generate, TokenizerLoad
from lint_rules._flow.values.joins import Constant, Encoded, Tokenizer, first, options
from lint_rules._questions.hand_made_text import bos_reach, chat_reach, ways_of
from lint_rules._questions.reach import Reach

_INPUTS = ("input_ids", "inputs", "attention_mask", "token_type_ids")
# Functions of torch, numpy and random whose numbers no tokenizer gave; a number that places or shapes ids is no id.
_MADE = frozenset(("randint", "randint_like", "randperm", "arange", "randrange", "random_"))
_MOVES = ("to", "cuda", "cpu", "long", "int", "bool", "squeeze", "unsqueeze")
_CHANGED_MASK = re.compile(
    r"mask[\"'\]]*(\[[^\n=]*\]\s*[-+*|&^]?=[^=]|\.\w+_\()|\bmask\w*\s*[-+*|&^]=|position_ids"
)
_SIDES = re.compile(
    r"padding_side\s*=(?!=)\s*(?![\"']left)|[\"']padding_side[\"']\s*[,:]\s*(?![\"']left)"
)
_INPUT_DICT = re.compile(r"batch|input|enc|token|prompt|feature|sample|query", re.I)

_BEGINS = Note(
    "changed",
    "ids that lack the BOS of the model's family are refused",
    "where the tokenizer's files add it, or the family has none",
)
_TOGETHER = Note(
    "changed",
    "ids are put together before the call: a BOS or another control token between them is refused",
    "where a tokenizer puts BOS before each part",
)


def rewrite_ids(
    script: Script, call: Generate, unmigrated: frozenset[cst.CSTNode]
) -> tuple[Edit, list[Note]]:
    """Puts `generate_ids` in the place of a call of `generate`.

    Raises:
        CannotRewrite: A chat may be in the ids, BOS twice, or padding that is read; or a keyword has no place.
    """
    encode = script.flow.event_at(call.encoded.origin if call.encoded else None, Encode)
    inputs = _inputs(script, call)
    joined = joins_ids(script, call)
    _refuse_mask(script, call, inputs, seen=encode is not None)
    if encode is None or joined:
        refuse_unseen(script, call)
        _refuse_made(script, call, inputs)
    if encode is not None:
        _refuse_prompt(script, call, encode)
    _refuse_other_pad(script, call, encode)
    given, notes = settings_of_ids(script, call, inputs)
    arguments = [script.code(receiver(call.node)), *_written(script, inputs), *given]
    statement = script.statement(call.place)
    span, line = script.span(call.node), script.span(statement)
    head = loader_at(script, call, unmigrated) + ".generate_ids"
    room = (span.start - line.start) + max(0, line.end - span.end)
    code = script.call(head, arguments, script.indent_of(statement), room)
    told = [
        FROM_IDS,
        *mask_note(call),
        *_begins(call, encode),
        *_joined(joined),
        *notes,
        *mode_note(script, call),
    ]
    return Edit(span.start, span.end, code), told


def without_begins(
    script: Script, sites: Sequence[Site], lenient: frozenset[cst.CSTNode]
) -> list[Site]:
    """The sites without the note on BOS that is missing, where the loads say that it may be."""

    def needless(site: Site) -> bool:
        call = script.flow.event_at(site.node, Generate) if _BEGINS in site.notes else None
        return call is not None and origins_of(script, call) <= lenient

    return [
        replace(site, notes=tuple(note for note in site.notes if note != _BEGINS))
        if needless(site)
        else site
        for site in sites
    ]


def _begins(call: Generate, encode: Encode | None) -> list[Note]:
    """What is told of a tokenizer whose files may add no BOS, where the loader is not told to let that pass."""
    if encode is None or encode.args.written("add_special_tokens") is False:
        return []
    certain = call.model.model.text is not None and call.model.model.fixed
    return [] if certain or not has_bos(call) else [_BEGINS]


def _joined(joined: bool) -> list[Note]:
    return [_TOGETHER] if joined else []


def _inputs(script: Script, call: Generate) -> dict[str, Argument]:
    """The arguments that bring ids and their mask, by keyword; `**` for a dict, empty for a position."""
    args = call.args
    found = dict(zip(("",), args.positional, strict=False))
    written = {name: given for name, given in args.keywords.items() if given.node is not None}
    found |= {name: written[name] for name in _INPUTS if name in written}
    for argument in args.spread:
        name = argument.expression.value if isinstance(argument.expression, cst.Name) else ""
        known = first(argument.value, Encoded) is not None
        if known or (not found and _INPUT_DICT.search(name)):
            found["**"] = argument
    if not found and len(args.spread) == 1 and hands_on(script, call):
        found["**"] = args.spread[0]
    if not found.keys() - {"attention_mask", "token_type_ids"}:
        raise CannotRewrite("the prompt's tokenisation cannot be followed to this call")
    return found


def _written(script: Script, inputs: dict[str, Argument]) -> list[str]:
    found = []
    for name, argument in inputs.items():
        if argument.expression is None:
            raise CannotRewrite("what brings the ids is not written out")
        said = "input_ids=" if name == "inputs" else f"{name}=" if name.isidentifier() else name
        found.append(f"{said}{script.code(argument.expression)}")
    return found


def _refuse_made(script: Script, call: Generate, inputs: dict[str, Argument]) -> None:
    """Ids of a range or a die may be control tokens, which the guard refuses."""
    given = [
        one.expression
        for name, one in inputs.items()
        if one.expression is not None and name not in ("attention_mask", "token_type_ids")
    ]
    made = script.once(_made_reach)
    ones = any("ones(" in script.code(one) for node in given for one in _values(script, call, node))
    if ones or any(made.touches(node) for node in given):
        raise CannotRewrite(
            f"the ids of line {script.line_of(call.node)} are drawn or counted, and the guard refuses the control "
            "tokens among them: make them of a text"
        )


def _values(script: Script, call: Generate, node: cst.BaseExpression) -> list[cst.BaseExpression]:
    """An expression, and what its name is given."""
    if not isinstance(node, cst.Name):
        return [node]
    return [node, *script.assigned_values(node.value, call.place.function)]


def _made_reach(script: Script) -> Reach:
    return Reach(script.flow.module, _makes_ids, ways=script.flow.once(ways_of))


def _makes_ids(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Attribute) and node.attr.value in _MADE


def _refuse_prompt(script: Script, call: Generate, encode: Encode) -> None:
    refuse_bound(script, encode.node)
    text = encode.args.get("text", 0)
    given = [] if text is None or text.expression is None else [text.expression]
    given += [
        one.expression for one in _inputs(script, call).values() if one.expression is not None
    ]
    line = script.line_of(call.node)
    chat = script.flow.once(chat_reach)
    if any(chat.touches(node) for node in given):
        raise CannotRewrite(f"the ids of line {line} may hold a chat, which the guard refuses")
    adds = encode.args.written("add_special_tokens") is not False
    bos = script.flow.once(bos_reach)
    if adds and has_bos(call) and any(bos.touches(node) for node in given):
        raise CannotRewrite(f"code puts BOS before the ids of line {line}, a second one perhaps")
    if adds and has_bos(call):
        for node in given:
            refuse_decoded(script, node)
    refuse_read_padding(encode, call)
    pads = "padding" in encode.args.keywords and encode.args.written("padding") not in (False, None)
    if pads and _may_pad_right(script, encode):
        raise CannotRewrite("its prompts may be padded on the right, which the guard refuses")
    if pads and "attention_mask" not in call.args.keywords and changes_ids(script, call):
        raise CannotRewrite("a part of a padded batch is taken")


def _may_pad_right(script: Script, encode: Encode) -> bool:
    """Whether the call, or a line of the script, may name another side than the loader's."""
    said = encode.args.get("padding_side")
    sides = [] if said is None else [said.value]
    sides += [
        event.value
        for event in script.flow.events(AttributeSet)
        if event.attribute == "padding_side"
        and any(
            isinstance(option, Tokenizer) and option.origin is encode.tokenizer.origin
            for option in options(event.target)
        )
    ]
    own = script.flow.event_at(encode.tokenizer.origin, TokenizerLoad) is not None
    return any(side != Constant("left") for side in sides) or (not own and says(script, _SIDES))


def _refuse_mask(
    script: Script, call: Generate, inputs: dict[str, Argument], *, seen: bool
) -> None:
    """The guard refuses a mask with holes: it must be the tokenizer's own, or come from where ids do."""
    given = inputs.get("attention_mask")
    if given is not None and seen:
        refuse_other_mask(script, call, given)
    elif given is not None and not _is_handed_on(given.expression):
        raise CannotRewrite("its attention mask is made by hand")
    if _CHANGED_MASK.search(script.source.text):
        raise CannotRewrite("its attention mask is changed by hand")


def _is_handed_on(node: cst.BaseExpression | None) -> bool:
    """Whether an expression is a name, or a part of one, perhaps moved: `batch["attention_mask"].to(device)`."""
    while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        if node.func.attr.value not in _MOVES:
            return False
        node = node.func.value
    return isinstance(node, (cst.Name, cst.Attribute, cst.Subscript))


def _refuse_other_pad(script: Script, call: Generate, encode: Encode | None) -> None:
    """What rows are filled up with is read as the tokenizer's pad token, which is the loader's choice."""
    if pads_itself(script):
        return
    if (
        encode is not None
        and one_or_many(encode) == "one"
        and "num_return_sequences" not in call.args.keywords
    ):
        return
    text = script.source.text
    reads = len(re.findall(r"\bpad_token_id\b(?!\s*=[^=])", text))
    written = len(re.findall(r"\bpad_token_id\s*=\s*[\w.]*pad_token_id\b", text))
    if reads > written or "generation_config.pad_token_id" in text:
        raise CannotRewrite("the pad token is read beside several rows, and the loader chooses it")
