"""Imported names that nothing uses any more, in the script or in a file that may take them from it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from codemods.doubts.outside import is_taken_by_name, runs_others
from codemods.imports.statements import LIBRARIES, Import
from codemods.plan.edits import Edit
from codemods.script.script import Script

# What takes a name of a module by its text, and what may take any.
_BY_NAME = re.compile(r"__all__|\b(getattr|globals|locals|vars|eval|exec)\(|__dict__")
# What is an object of the script's own, a class or a library, and no module of the run.
_OWN = (
    r"(?:self|cls|(?:\w+_)?(?:args|arguments|opts?|options|flags|cfg|config|params|kwargs)|model|tokenizer"
    r"|[A-Z]\w*|torch|nn|np|numpy|transformers|peft|trl|datasets|bitsandbytes|bnb)\b"
)
_ANY_NAME = re.compile(
    r"(?<![\w.])((eval|exec|globals|locals)\(|(vars|dir)\(\s*\)|(vars|dir)\(\s*(?!" + _OWN + r"))"
    r"|getattr\(\s*(?!" + _OWN + r")[^,()]+(\([^()]*\))?[^,()]*,(?!\s*[\"'][^\"'\n]*[\"']\s*[,)])"
)
# By what a script has itself as a module, whose `__dict__` holds its names.
_ITSELF = re.compile(r"\bmodules\[|\bimport __main__|\b(import_module|__import__)\(")
# A name that is asked for in quotes: `"model" in locals()`, `globals()["model"]`.
_SAID = re.compile(
    r"[\"']\w+[\"']\s+(not\s+)?in\s+(globals|locals)\(\)|\b(globals|locals)\(\)(\.get\(|\[)\s*[\"']\w+[\"']\s*[\]),]"
)
_SETS_IMPORTED = re.compile(
    r"\bloggerDict\b|\bgetLogger\(\s*[\"'](transformers|peft|torch|accelerate)\b|\bsys\.modules\b"
)
_UNCOMMENT = re.compile(r"#[^\n]*\b(un-?comment|comment (in|out))\b", re.IGNORECASE)
# Everything out of a file, perhaps of the run.
_STAR = rf"\bfrom\s+(?!(?:{'|'.join(sorted(LIBRARIES))}|torch|numpy|math|typing|tkinter)\b)\S+\s+import\s*\*"


def became_unused(
    script: Script,
    item: Import,
    name: str,
    words: set[str],
    edits: Sequence[Edit],
    every: Sequence[Import],
) -> bool:
    """Whether every use of an imported name lies in edited text: it was used before, and is not now.

    Args:
        script: The script.
        item: The import.
        name: A name that it brings.
        words: The words of what is to be written.
        edits: What is to be written.
        every: All imports of the script.
    """
    text = script.bare
    if re.search(rf"^\s*(>>>|\.\.\.)[^\n]*\b{name}\b", text, re.MULTILINE):  # a doctest
        return False
    quoted = f'"{name}"' in text or f"'{name}'" in text
    annotates = quoted and re.search(rf"(:|->|\[|,|\|)\s*[\"']{name}[\"']", text)
    inside = "" if item.function is None else script.code(item.function)
    if re.search(rf"^\s*(global|nonlocal)\b[^\n]*\b{name}\b", inside, re.MULTILINE):
        return False
    if _is_switched_by_hand(script, name):
        return False
    local = item.function is not None  # and nobody else's
    by_name = _ANY_NAME.search(inside) is not None if local else script.once(_any_name)
    if name in words or annotates or (quoted and _BY_NAME.search(text)) or by_name:
        return False
    if not local and (
        script.is_taken_elsewhere(name)
        or _may_be_taken(script, name)
        or script.once(is_taken_by_name)
        or script.once(runs_others)
    ):
        return False
    if item.function is not None:
        uses = script.uses(name, item.function)
    else:  # functions that import it themselves use their own
        own = {
            id(other.function): other.function
            for other in every
            if other.function is not None and name in other.names
        }
        taken = [script.span(function) for function in own.values()]
        uses = [
            use
            for use in script.uses(name, None)
            if not any(span.start <= use.offset < span.end for span in taken)
        ]
    return bool(uses) and all(any(edit.covers(use.offset) for edit in edits) for use in uses)


def sets_what_imports_bring(script: Script) -> bool:
    """Whether a script sets loggers or modules of a library, which are there, or set, once it is imported.

    The loader's import brings none: the library comes with the first load, and sets its own again.
    """
    return _SETS_IMPORTED.search(script.bare) is not None


def _is_switched_by_hand(script: Script, name: str) -> bool:
    """Whether a script asks its reader to take a comment's sign away, and such a line calls a name."""
    text = script.source.text
    if name not in text or not _UNCOMMENT.search(text):
        return False
    called = rf"^[ \t]*#[^\n#]*\b{re.escape(name)}\s*[.(]"
    return re.search(called, text, re.MULTILINE) is not None


def _may_be_taken(script: Script, name: str) -> bool:
    """Whether a file beside may take a class through this module, or through a star, and imports it nowhere by name."""
    if script.others.alone or not name[:1].isupper():
        return False
    stem = re.escape(script.others.stem(script.path))
    ways = re.compile(
        rf"{_STAR}|\b(import|from)\s[^\n]*\b{stem}\b|import_module\(|run_path\(|\bexec\(|import __main__"
        r"|modules\[[\"']__main__"
    )
    word = re.compile(rf"(?:\b(\w+)\.)?\b{re.escape(name)}\b")
    for text in map(script.others.bare, script.others.beside(script.path)):
        if name not in text or not ways.search(text):
            continue
        if "run_path(" in text and re.search(rf"[\"']{re.escape(name)}[\"']", text):
            return True
        owners = {found[1] for found in word.finditer(text)}
        if any(owner is not None and not _is_library(text, owner) for owner in owners):
            return True
        brought = re.search(rf"\bimport\s[^\n]*\b{re.escape(name)}\b|\bimport\s*\(", text)
        if None in owners and brought is None:
            return True
    return False


def _is_library(text: str, owner: str) -> bool:
    """Whether a name that something is taken of is a library's, or another name for one."""
    renamed = re.search(rf"\bimport\s+([\w.]+)\s+as\s+{re.escape(owner)}\b", text)
    named = owner if renamed is None else renamed[1].partition(".")[0]
    return named in LIBRARIES


def _any_name(script: Script) -> bool:
    """Whether a script takes names that cannot be seen."""
    text = _SAID.sub("", script.bare)
    itself = ".__dict__" in text and _ITSELF.search(text) is not None
    return itself or _ANY_NAME.search(text) is not None
