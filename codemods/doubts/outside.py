"""What other files of the run do to a module: a class that derives from one of it, names that only the run knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import libcst as cst

from codemods.facts.load_targets import target_of
from codemods.others.by_text import aliases, asks_by_name, runs_files
from codemods.script.around import texts_around
from codemods.script.script import Script
from lint_rules._flow.values.events import ModelLoad, TokenizerLoad

_PATCH = re.compile(r"(?<![\w.])(mock\.)?patch\(\s*([A-Za-z_]|[\"'][^\"'\n]*[\"']\s*\+)")


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


def is_taken_by_name(script: Script) -> bool:
    """Whether another file takes something of the module by a name that only the run knows."""
    return _is_named(script, "getattr|vars|dir|setattr", "__dict__")


def runs_others(script: Script) -> bool:
    """Whether a notebook's magic runs another file, which may use the notebook's names."""
    return script.path.suffix == ".ipynb" and runs_files(script.others.text(script.path))


def puts_by_name(script: Script) -> str | None:
    """Why a class may be another than the script imports: a file puts something in its place by such a name."""
    if script.others.alone:
        return None
    for path in script.others.beside(script.path):
        text = script.others.bare(path)
        patches = "patch(" in text and _PATCH.search(text)
        if patches and aliases(text, script.others.stem(script.path)):
            return f"{path.name} patches what only the run names"
    if _is_named(script, "setattr", "__dict__"):
        return "another file sets what only the run names"
    return None


def _is_named(script: Script, functions: str, attribute: str) -> bool:
    others = script.others
    if others.alone:
        return False
    stem = others.stem(script.path)
    texts = map(others.bare, others.beside(script.path))
    return any(asks_by_name(text, stem, functions, attribute) for text in texts)
