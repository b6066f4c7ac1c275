"""Ids of which nobody sees where they were made: what the script, and what it imports from the run, might put there."""

from __future__ import annotations

import re
from collections.abc import Sequence

import libcst as cst

from cleanguard.catalogue.families import family_of
from codemods.facts.growth import without_growth
from codemods.facts.hand_padding import pads_left
from codemods.plan.sites import CannotRewrite, Note, Site
from codemods.script.closures import imports_of
from codemods.script.script import Script
from lint_rules._flow.values.events import Forward, Generate
from lint_rules._flow.values.joins import Encoded, ModelId, first

_WITHOUT_BOS = ("qwen2", "qwen3", "gpt2", "gpt-neox")
# What may pad ids on the right, or give them without a mask.
_PADS = re.compile(
    r"pad_sequence|\bpad\(|DataCollator|padding_side\s*=\s*[\"']right|\.pad\b|(?i:collat)"
)
_MAY_PAD = re.compile(_PADS.pattern + r"|padding\s*=\s*(?!False|None)|[\"']padding[\"']")
_CHAT = re.compile(
    r"apply_chat_template|conv_templates|get_conv\w*_template|<\|(im_|start_header|user|assistant|system)"
    r"|(start|end)_of_turn|\[/?INST\]|<</?SYS>>"
)
_BOS = re.compile(r"(?<!config\.)bos_token|<s>|<bos>|begin_of_text|begin▁of▁sentence")
# What adds tokens to a tokenizer, here or in a function that is imported.
_GROWS = re.compile(r"add_(special_)?tokens|resize_token_embeddings")

FROM_IDS = Note(
    "carried", "ids stay ids: `generate_ids` checks them, and says every setting of the call"
)

_UNMASKED = Note(
    "changed",
    "no mask is given: transformers took what is spelled as the pad token of generation_config.json for padding",
    "where no prompt spells it",
)


def from_ids(sites: Sequence[Site]) -> frozenset[cst.CSTNode]:
    """The calls that are rewritten to `generate_ids`."""
    return frozenset(site.node for site in sites if FROM_IDS in site.notes)


def refuse_unseen(script: Script, call: Generate | Forward) -> None:
    """Look whether ids that cannot be followed may be what the guard refuses.

    Raises:
        CannotRewrite: A chat may be in them, BOS twice, or padding that is read.
    """
    line = script.line_of(call.node)
    if says(script, _CHAT):
        raise CannotRewrite(f"the ids of line {line} may hold a chat, which the guard refuses")
    if has_bos(call) and says(script, _BOS):
        raise CannotRewrite(f"code may put BOS before the ids of line {line}, a second one perhaps")
    refuse_rearranged(script, call)


def refuse_given_prompts(script: Script) -> None:
    """Look whether the files that give models may give a tokenizer with them that is no longer the model's.

    Raises:
        CannotRewrite: One of them may add tokens to it: the guard makes no prompt with such a one.
    """
    for path in script.given_by:
        if _GROWS.search(script.others.text(path)):
            raise CannotRewrite(
                f"{path.name} adds tokens to the tokenizer, and the guard makes no prompt with another one"
            )


def refuse_givers(script: Script) -> None:
    """Look whether the files that give models may give a prompt with them that the guard refuses.

    Raises:
        CannotRewrite: One of them may make a chat, or spell out BOS.
    """
    for path in script.given_by:
        text = script.others.text(path)
        if _CHAT.search(text):
            raise CannotRewrite(
                f"the prompts of {path.name} may hold a chat, which the guard refuses"
            )
        if _BOS.search(text):
            raise CannotRewrite(f"{path.name} may put BOS before its prompts, a second one then")


def refuse_rearranged(script: Script, call: Generate | Forward) -> None:
    """Look whether ids may be padded by hand.

    Raises:
        CannotRewrite: They may be padded on the right and generated from, or padded and without a mask.
    """
    if isinstance(call, Generate) and says(script, _PADS) and not pads_left(script):
        raise CannotRewrite("its ids may be padded on the right, which the guard refuses")
    if not is_masked(call) and says(script, _MAY_PAD):
        raise CannotRewrite("its ids may be padded, and go without their mask")


def has_bos(call: Generate | Forward) -> bool:
    """Whether the family of a call's model may have a BOS."""
    return may_have_bos(call.model.model)


def may_have_bos(model: ModelId) -> bool:
    """Whether a model is none of a family whose tokenizers have no BOS, or one that is EOS."""
    family = family_of(model.text or "")
    return not (family is not None and model.fixed and family.name in _WITHOUT_BOS)


def is_masked(call: Generate | Forward) -> bool:
    """Whether a call gets a mask, or all that the tokenizer gave."""
    args = call.args
    if isinstance(call, Forward) and len(args.positional) > 1:
        return True
    return "attention_mask" in args.keywords or any(
        first(argument.value, Encoded) is not None or isinstance(argument.expression, cst.Name)
        for argument in args.spread
    )


def mask_note(call: Generate) -> list[Note]:
    """What is told of a call without a mask, which transformers makes by the pad token of generation_config.json."""
    return [] if is_masked(call) else [_UNMASKED]


def says(script: Script, words: re.Pattern[str]) -> bool:
    """Whether the script, what it imports from the run, or who gives it models, says one of some words."""
    text = script.once(without_growth) if words is _BOS else script.source.text
    if words.search(text):
        return True
    if any(words.search(script.others.text(path)) for path in script.given_by):
        return True
    modules = imports_of(script).modules
    return any(script.others.mentions(script.path, module, words) for module in modules)
