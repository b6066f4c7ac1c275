"""Text that is decoded with its BOS, and may become a prompt again, in front of which there is then a second one."""

from __future__ import annotations

import libcst as cst

from codemods.plan.sites import CannotRewrite
from codemods.script.script import Script
from codemods.texts.decoded_ids import generated_in, has_prompt
from lint_rules._flow.values.events import Decode
from lint_rules._flow.values.joins import Encoded, first
from lint_rules._questions.hand_made_text import ways_of
from lint_rules._questions.reach import Reach


def refuse_decoded(script: Script, node: cst.CSTNode) -> None:
    """Look whether a prompt may be such a text.

    Raises:
        CannotRewrite: It may: the guard refuses a second BOS, which the old script gave its model.
    """
    seeds = script.once(_decodes)
    if seeds and script.once(_reach).touches(node):
        line = script.line_of(seeds[0])
        raise CannotRewrite(
            f"what line {line} decodes with its BOS may become a prompt again, with a second BOS: decode it with "
            "skip_special_tokens=True, and migrate again"
        )


def _decodes(script: Script) -> list[cst.CSTNode]:
    """The calls that decode a prompt, alone or in front of a text, with its special tokens."""
    return [
        decode.node
        for decode in script.flow.events(Decode)
        if decode.args.written("skip_special_tokens") is not True and _begins(decode)
    ]


def _begins(decode: Decode) -> bool:
    generated = generated_in(decode)
    if generated is not None:
        return has_prompt(generated)
    return first(decode.source, Encoded) is not None


def _reach(script: Script) -> Reach:
    seeds = script.once(_decodes)
    known = {id(seed) for seed in seeds}
    ways = script.flow.once(ways_of)
    return Reach(script.flow.module, lambda node: id(node) in known, ways=ways, seeds=seeds)
