"""Text that is decoded with its BOS, and may become a prompt again, in front of which there is then a second one."""

from __future__ import annotations

import re

import libcst as cst

from codemods.plan.sites import CannotRewrite
from codemods.script.closures import imports_of
from codemods.script.definitions import returned
from codemods.script.script import Script
from codemods.texts.decoded_ids import generated_in, has_prompt
from lint_rules._flow.values.events import Decode
from lint_rules._flow.values.joins import Encoded, first
from lint_rules._questions.hand_made_text import ways_of
from lint_rules._questions.reach import Reach

_WHY = (
    "what line {line} decodes with its BOS may become a prompt again, with a second BOS: decode it with "
    "skip_special_tokens=True, and migrate again"
)
# What a module says that decodes rows, but to show them, and that tokenises.
_DECODED_THERE = re.compile(
    r"^(?![^\n]*(print|log|debug|info|write))[^\n]*tok\w*\.(batch_)?decode\((?![^\n]*skip_special)",
    re.MULTILINE,
)
# What a file does when it is run itself.
_OWN_RUN = re.compile(r"^if\s+__name__\s*==", re.MULTILINE)
_TOKENISED_THERE = re.compile(r"\btok\w*\(|\btok\w*\.(batch_)?encode")


def refuse_decoded(script: Script, node: cst.CSTNode) -> None:
    """Look whether a prompt may be such a text.

    Raises:
        CannotRewrite: It may: the guard refuses a second BOS, which the old script gave its model.
    """
    seeds = script.once(_decodes)
    if seeds and script.once(_reach).touches(node):
        raise CannotRewrite(_WHY.format(line=script.line_of(seeds[0])))


def trained_with_two(script: Script) -> str | None:
    """Why the models of a script that trains must stay: rows may be made of text that is decoded with its BOS.

    What a function decodes and gives back is taken for a row, but for what measures answers.
    """
    for decode in script.flow.events(Decode):
        function = decode.place.function
        if (
            function is None
            or "metric" in function.name.value
            or decode.args.written("skip_special_tokens") is True
            or generated_in(decode) is not None
        ):
            continue
        reach = _reach_of(script, [decode.node])
        if any(value is not None and reach.touches(value) for value in returned(function)):
            return _WHY.format(line=script.line_of(decode.node))
    for module in imports_of(script).modules:
        for path in script.others.modules(script.path, module):
            text = _OWN_RUN.split(script.others.text(path))[0]
            if not (_DECODED_THERE.search(text) and _TOKENISED_THERE.search(text)):
                continue
            return f"what {module} decodes with its BOS may become a row again, with a second BOS"
    return None


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
    return _reach_of(script, script.once(_decodes))


def _reach_of(script: Script, seeds: list[cst.CSTNode]) -> Reach:
    known = {id(seed) for seed in seeds}
    ways = script.flow.once(ways_of)
    return Reach(script.flow.module, lambda node: id(node) in known, ways=ways, seeds=seeds)
