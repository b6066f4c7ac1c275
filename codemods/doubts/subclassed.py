"""Models of a class of the script's own, in whose place a class of another file that derives from it puts its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import libcst as cst

from codemods.facts.changed_elsewhere import texts_around
from codemods.facts.load_targets import target_of
from codemods.script.script import Script
from lint_rules._flow.values.events import ModelLoad, TokenizerLoad


def set_by_subclasses(
    script: Script, loads: Sequence[ModelLoad | TokenizerLoad]
) -> Iterator[tuple[cst.CSTNode, str]]:
    """The loads whose attribute a subclass in another file of the run sets as well, with the reason.

    Args:
        script: The script.
        loads: Those in question.
    """
    for load in loads:
        target = target_of(script, load)
        owner = load.place.owner
        if target is None or owner is None or not target.text.startswith("self."):
            continue
        derives = re.compile(rf"^\s*class \w+\([^)]*\b{owner.name.value}\b", re.MULTILINE)
        sets = re.compile(rf"(?<![\w.]){re.escape(target.text)}\s*(:[^=\n]+)?=(?!=)")
        for name, text in script.once(texts_around):
            found = derives.search(text)
            if found is not None and sets.search(text, found.end()):
                yield load.node, f"{name} derives from the class, and sets `{target.text}` as well"
