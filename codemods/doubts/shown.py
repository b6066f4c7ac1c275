"""Doubts about tokenizers that a script shows as a whole, or makes another of."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from codemods.facts.other_holds import tokenizers_named
from codemods.script.script import Script
from lint_rules._flow.values.events import TokenizerLoad


def shown(script: Script, nodes: frozenset[cst.CSTNode]) -> Iterator[tuple[cst.CSTNode, str]]:
    """What shows all of a tokenizer, or makes another of it: the pad token and the side are the loader's then."""
    names = "|".join(map(re.escape, sorted(tokenizers_named(script, nodes))))
    if not names:
        return
    text = script.bare
    shows = re.search(
        rf"\b(print|repr|str|pprint|vars)\(\s*([\w.]+\.)?({names})\s*[,)]|\{{([\w.]+\.)?({names})[!:}}]"
        rf"|\bgetattr\(\s*([\w.]+\.)?({names})\s*,\s*[^\"'\s]|\btrain_new_from_iterator\(",
        text,
    )
    if shows is not None:
        line = script.row_in_text(shows.start())
        for load in script.flow.events(TokenizerLoad):
            if load.node in nodes:
                yield (
                    load.node,
                    f"line {line} shows all of the tokenizer, whose pad token and side would be the loader's",
                )
