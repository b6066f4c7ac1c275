"""Tokenizers that a script makes its own: it adds tokens, or tells them what to put around a prompt.

The ids of their prompts stay the tokenizer's: a guarded call that makes them from a text would refuse the
tokenizer, or put there what the family needs. Generation from ids, and scoring, take them as they are.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

import libcst as cst

from codemods.facts.growth import growing_calls, may_grow
from codemods.facts.growth_aside import Growth, grows
from codemods.facts.growth_in_use import only_resizes, renames_bos
from codemods.facts.load_context import SPECIALS
from codemods.facts.load_targets import name_of
from codemods.facts.purposes import trains
from codemods.plan.sites import CannotRewrite
from codemods.script.script import Script
from lint_rules._flow.values.events import AttributeSet, Encode, TokenizerLoad
from lint_rules._flow.values.joins import Tokenizer, options


def refuse_own(script: Script, encode: Encode) -> None:
    """Raise if a prompt may be made by a tokenizer that tokens are added to, and which the script uses.

    Raises:
        CannotRewrite: The guard would not make it so.
    """
    origin = encode.tokenizer.origin
    if trains(script) or not may_grow(script) or only_resizes(script):
        return
    known = {load.node for load in script.flow.events(TokenizerLoad)}
    grown = {load.node for load, growth in script.once(_growths) if growth == "used"}
    if origin in grown or origin not in known:  # a guarded one, or one that is not seen
        line = script.line_of(next(c.node for c in growing_calls(script) if c.adds is not None))
        raise CannotRewrite(
            f"line {line} adds tokens to the tokenizer, and the guard makes no prompt with another one"
        )


def is_used(script: Script, tokenizers: Collection[cst.CSTNode]) -> bool:
    """Whether tokens are added to one of some tokenizers, by their loads, and the script uses it."""
    return any(
        growth == "used" and load.node in tokenizers for load, growth in script.once(_growths)
    )


def pads_itself(script: Script) -> bool:
    """Whether the loader leaves the pad tokens of all of a script's tokenizers as they are."""
    loads = list(script.flow.events(TokenizerLoad))
    return bool(loads) and all(is_used(script, [load.node]) for load in loads)


def keeps_own_pad(script: Script, event: AttributeSet) -> bool:
    """Whether a line is about the padding of a tokenizer that the loader leaves to the script."""
    if event.attribute == "padding_side" or not may_grow(script):
        return False
    own = {load.node for load, growth in script.once(_growths) if growth == "used"}
    return any(isinstance(one, Tokenizer) and one.origin in own for one in options(event.target))


def load_text(script: Script, node: cst.CSTNode | None) -> str | None:
    """The model that a tokenizer's load of the script names, as written."""
    load = script.flow.event_at(node, TokenizerLoad)
    return None if load is None else name_of(script, load)


def other_begin(script: Script) -> bool:
    """Whether what a script's tokenizers put before a prompt may be another thing than the family's BOS."""
    if trains(script):
        return False
    used = any(growth == "used" for _, growth in script.once(_growths))
    return (used and renames_bos(script)) or any(
        event.attribute in SPECIALS
        and any(isinstance(one, Tokenizer) for one in options(event.target))
        for event in script.flow.events(AttributeSet)
    )


def _growths(script: Script) -> list[tuple[TokenizerLoad, Growth]]:
    """The tokenizers that tokens are added to, and what becomes of them; those that stay are left out."""
    found: list[tuple[TokenizerLoad, Growth]] = []
    for load in script.flow.events(TokenizerLoad) if may_grow(script) else ():
        with suppress(CannotRewrite):
            found.append((load, grows(script, load)))
    return found
