"""Models and tokenizers that a call or a property gives: asked for as often, and in the same order, as before."""

from __future__ import annotations

import libcst as cst

from codemods.plan.sites import CannotRewrite
from codemods.script.definitions import Functions
from codemods.script.script import Script
from codemods.texts.encoding import receiver
from lint_rules._flow.values.events import Encode, Generate


def refuse_getters(script: Script, call: Generate, encode: Encode) -> None:
    """Raise CannotRewrite if what generates, or tokenises, is computed when it is asked for: it may load then.

    One guarded call names each once, the model first.
    """
    for node in (receiver(call.node), receiver(encode.node)):
        if _is_computed(script, node):
            raise CannotRewrite(f"`{script.code(node)}` is computed each time that it is asked for")


def _is_computed(script: Script, node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.Attribute):
        return node.attr.value in script.once(_properties) or _is_computed(script, node.value)
    return isinstance(node, cst.Call)


def _properties(script: Script) -> frozenset[str]:
    """The names of what the script's classes compute when it is read."""
    return frozenset(
        one.name.value
        for one in script.look(Functions).every
        if any("property" in script.code(mark.decorator) for mark in one.decorators)
    )
