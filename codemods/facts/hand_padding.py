"""Batches that a script pads itself: whether all of them are filled up on the left, as generation needs it."""

from __future__ import annotations

import re

import libcst as cst

from codemods.script.closures import imports_of
from codemods.script.looking import Looking
from codemods.script.script import Script
from lint_rules._flow.values.syntax import dotted

# What pads on the right, or on a side that is said elsewhere; and rows that are put behind one another.
_OTHER = re.compile(
    r"pad_sequence|\bpad\(|\.pad\b|padding_side\s*=\s*[\"']right|DataCollator(With|ForLanguage|ForSeq2Seq|ForCompl)"
    r"|\[[^\[\]]*pad[^\[\]]*\]\s*\*|\*\s*\[[^\[\]]*pad[^\[\]]*\]"
)


def pads_left(script: Script) -> bool:
    """Whether the script's own code puts rows at the right end of what is filled up, and nowhere else."""
    return script.once(_pads_left)


def _pads_left(script: Script) -> bool:
    if _OTHER.search(script.source.text):
        return False
    for _, module, name in imports_of(script).found:
        foreign = re.search(r"(?i)collat", name) and not name.startswith("default_data_collator")
        if foreign or script.others.mentions(script.path, module, re.compile(r"(?i)collat|\bpad")):
            return False
    stores = script.look(_Stores)
    return stores.right and not stores.other


class _Stores(Looking):
    """Where slices of tensors are filled: `rows[i, -n:] = …` at the right end, all else elsewhere."""

    def __init__(self) -> None:
        self.right = False
        self.other = False

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        target = node.target
        if not isinstance(target, cst.Subscript) or "embedding" in (dotted(target.value) or ""):
            return
        last = target.slice[-1].slice
        if not isinstance(last, cst.Slice):
            return
        ends = last.lower is not None and last.upper is None and last.step is None
        negative = isinstance(last.lower, cst.UnaryOperation) and isinstance(
            last.lower.operator, cst.Minus
        )
        if ends and negative:
            self.right = True
        else:
            self.other = True
