"""What runs between two loads, and may ask for what the first one gave where nobody sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import libcst as cst

from codemods.facts.load_targets import Target
from codemods.script.around import texts_around
from codemods.script.closures import imports_of
from codemods.script.definitions import Functions, Imported
from codemods.script.model_uses import Calls
from codemods.script.script import Script
from lint_rules._flow.values.events import TokenizerLoad
from lint_rules._flow.values.syntax import dotted

# What reads names, and attributes, by their texts.
_BY_TEXT = re.compile(
    r"(?<![.\w])(eval|exec|globals|locals|vars|dir)\(|\battrgetter\(|\.__dict__\b"
    r"|(?<![.\w])(getattr|hasattr)\(\s*(?!(torch|np|numpy|transformers|os|sys|args)\s*,)"
)
_MOST_FUNCTIONS = 40


def runs_unseen(
    script: Script, statements: Sequence[cst.CSTNode], target: Target, load: TokenizerLoad
) -> bool:
    """Whether statements run what may read a target and is not followed: by a name in quotes, or in another file.

    Args:
        script: The script.
        statements: Those between the loads.
        target: What the first load is assigned to.
        load: The first load.
    """
    texts = [script.code(one) for one in statements]
    if any(map(_BY_TEXT.search, texts)):
        return True
    own = target.text.isidentifier() and load.place.function is not None
    if own and target.text not in script.shared_names:
        return False
    return any(_leads_out(script, one, target) for one in statements)


def _leads_out(script: Script, statement: cst.CSTNode, target: Target) -> bool:
    brought = Imported()
    statement.visit(brought)
    if any(_is_ours(script, module) for module in brought.modules):
        return True
    taken = script.once(_taken)
    owner = target.text.partition(".")[0] if "." in target.text else None
    if owner is not None and _asks_base(script, statement, owner):
        return True
    return any(_is_taken(code, taken) for code in _run_by(script, statement))


def _run_by(script: Script, statement: cst.CSTNode) -> Iterator[str]:
    """The text of a statement, and of the script's own functions that it leads to."""
    named = script.look(Functions).named
    yield script.code(statement)
    waiting, seen = [statement], set[str]()
    while waiting and len(seen) < _MOST_FUNCTIONS:
        calls = Calls(None)
        waiting.pop().visit(calls)
        for call in calls.found:
            name = (dotted(call.func) or "").rpartition(".")[2]
            if name in named and name not in seen:
                seen.add(name)
                waiting.append(named[name].body)
                yield script.code(named[name])


def _is_taken(code: str, taken: frozenset[str]) -> bool:
    """Whether a text reads names by their texts, or runs something of another file."""
    if _BY_TEXT.search(code):
        return True
    return any(re.search(rf"(?<![\w.]){re.escape(name)}\b", code) for name in taken)


def _taken(script: Script) -> frozenset[str]:
    """The names that other files of the project gave, and what the script made of them."""
    taken = imports_of(script)
    found = {local for local, module, _ in taken.found if _is_ours(script, module)}
    for line in re.finditer(r"^\s*(\w+)\s*=\s*([\w.]+)\(", script.bare, re.MULTILINE):
        if line[2].partition(".")[0] in found:
            found.add(line[1])
    return frozenset(found)


def _is_ours(script: Script, module: str) -> bool:
    """Whether a module is a file of the project, in the run or beside the script."""
    root = module.partition(".")[0]
    if not root or root == "__main__" or script.others.modules(script.path, module):
        return True
    beside = script.path.parent / root
    return beside.with_suffix(".py").is_file() or (beside / "__init__.py").is_file()


def _asks_base(script: Script, statement: cst.CSTNode, owner: str) -> bool:
    """Whether a statement asks an object for what its class, or one that derives from it, has in another file."""
    asked = set(re.findall(rf"(?<![\w.]){owner}\.(\w+)", script.code(statement)))
    if owner != "self" or not asked:
        return False
    text = script.bare
    made = script.look(Functions).named
    unknown = {
        one for one in asked if one not in made and not re.search(rf"\bself\.{one}\s*[:=]", text)
    }
    if unknown:
        return True
    called = re.compile(r"(?<![\w.])self\.(" + "|".join(asked) + r")\(")
    if not called.search(script.code(statement)):
        return False
    derives = re.compile(r"^\s*class \w+\([^)]*\b(" + "|".join(_classes(script)) + r")\b", re.M)
    return any(derives.search(text) for _, text in script.once(texts_around))


def _classes(script: Script) -> list[str]:
    return re.findall(r"^\s*class (\w+)", script.bare, re.MULTILINE) or ["-"]
