"""`if tokenizer.pad_token is None:` no longer holds after a guarded load; what it still holds is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import libcst as cst

from codemods.plan.edits import Edit
from codemods.plan.sites import Note, Site
from codemods.script.looking import Looking
from codemods.script.purposes import trains
from codemods.script.script import Script

_SUMMARY = "a pad token is there now"
_UNLESS = "where the tokenizer brings a pad token of its own"


def rewrite(script: Script, sites: Sequence[Site], edits: Iterable[Edit]) -> list[Site]:
    """A site for each such test under which statements stay, if a tokenizer load is rewritten.

    Args:
        script: The script.
        sites: What is planned so far.
        edits: The edits of those sites.
    """
    if not any(site.code == "CG102" and site.edits for site in sites):
        return []
    gone = list(edits)
    visitor = _PadTests()
    script.module.visit(visitor)
    found: list[Site] = []
    for node in visitor.found:
        body = node.body.body
        if all(any(edit.covers(script.span(line).start) for edit in gone) for line in body):
            continue
        test = script.code(node.test)
        text = f"`if {test}` no longer holds, as the loader gives a pad token: what stands under it is not run"
        if trains(script):
            text += "; a collator that masks pad does not mask eos any more"
        note = Note("changed", text, _UNLESS)
        found.append(Site("CG102", node, _SUMMARY, (), (note,)))
    return found


class _PadTests(Looking):
    """The `if` statements that ask whether a pad token is missing."""

    def __init__(self) -> None:
        self.found: list[cst.If] = []

    def visit_If(self, node: cst.If) -> None:
        test = node.test
        if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
            asked: cst.BaseExpression = test.expression
        elif isinstance(test, cst.Comparison) and isinstance(
            test.comparisons[0].operator, (cst.Is, cst.Equal)
        ):
            last = test.comparisons[0].comparator
            if not (isinstance(last, cst.Name) and last.value == "None"):
                return
            asked = test.left
        else:
            return
        if isinstance(asked, cst.Attribute) and asked.attr.value in ("pad_token", "pad_token_id"):
            self.found.append(node)
