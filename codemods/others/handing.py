"""Which files may give a model to what another one defines: from their words alone, before anything is followed."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

# What a file says that makes models itself.
MAKES = re.compile(r"from_pretrained|transformers|CleanModelLoader|from_config|ForCausalLM|LMHead")


_WORD = re.compile(r"\w+")
_IMPORTS = re.compile(r"\bfrom\s+([.\w]+)\s+import\s+(\([^)]*\)|[^\n]*)|\bimport\s+([^\n;\"']+)")
# In the text of a notebook a line begins behind a quote, or behind what stands for the end of one.
_IMPORTED = re.compile(
    r"(?:^|;|\"|\\n)\s*from\s+([.\w]+)\s+import\s+(\([^)]*\)|[^\n\\]*)|(?:^|;|\"|\\n)\s*import\s+([^\n;\"'\\]+)",
    re.MULTILINE,
)
_RENAMED = re.compile(r"\b(\w+)\s+as\s+(\w+)")


def words_in(text: str) -> set[str]:
    """All words of a text, in strings and comments too."""
    return set(_WORD.findall(text))


class Generating:
    """What of a module generates, or has to do with what does.

    Attributes:
        names: The functions, classes and methods at its top that lead to a generation or that such a one leads to.
        by_any_name: Some of it is called by whatever name an object has.
    """

    def __init__(self, text: str, module: ast.Module) -> None:
        lines = text.splitlines()
        parts = [_Part(node, lines) for node in module.body if isinstance(node, _DEFINITIONS)]
        found = [part for part in parts if any("generate" in name for name in part.said)]
        _spread(found, parts, lambda one, other: not one.names.isdisjoint(other.said))
        _spread(found, parts, lambda one, other: not other.names.isdisjoint(one.said))
        self.names = frozenset(name for part in found for name in part.names)
        self.by_any_name = any("__call__" in part.names for part in found)

    def is_said_in(self, words: set[str], names: Iterable[tuple[str, str]]) -> bool:
        """Whether a module that imports this one says any of it, by the names that packages give it too.

        Args:
            words: Those of the module.
            names: What packages hand on, and the other name that they give it.
        """
        if self.by_any_name or not words.isdisjoint(self.names):
            return True
        return any(name in self.names and other in words for name, other in names)


_Definition: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef"
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class _Part:
    """A definition at the top of a module, with the names that it has for others and those that it says."""

    def __init__(self, node: _Definition, lines: Sequence[str]) -> None:
        inner = node.body if isinstance(node, ast.ClassDef) else []
        self.names = {node.name, *(one.name for one in inner if isinstance(one, _DEFINITIONS))}
        self.names.discard("__init__")
        self.said = words_in("\n".join(lines[node.lineno - 1 : node.end_lineno]))


def _spread(found: list[_Part], parts: list[_Part], leads: Callable[[_Part, _Part], bool]) -> None:
    """Adds the parts that those found lead to, and what these lead to."""
    waiting = list(found)
    while waiting:
        one = waiting.pop()
        more = [part for part in parts if part not in found and leads(one, part)]
        found += more
        waiting += more


def renamed(text: str) -> list[tuple[str, str]]:
    """What a text gives another name, and that name."""
    return _RENAMED.findall(text)


def imported_words(raw: bytes) -> set[str]:
    """The names in a file's import statements."""
    text = raw.decode("utf-8", errors="replace") if b"import" in raw else ""
    return {word for found in _IMPORTS.finditer(text) for word in _WORD.findall(found.group())}


def import_spans(text: str) -> list[tuple[int, int]]:
    """Where the import statements of a text stand."""
    return [found.span() for found in _IMPORTS.finditer(text)]


def imports_from(text: str, stem: str, name: str) -> bool:
    """Whether a text imports a name from a module of this last name, all of it, or the module itself."""
    for found in _IMPORTS.finditer(text):
        module, names, plain = found.groups()
        if plain is not None:
            if stem in _WORD.findall(plain):
                return True
            continue
        words = _WORD.findall(names)
        if module.rpartition(".")[2] == stem and (name in words or "*" in names):
            return True
        if stem in words:  # `from package import module`
            return True
    return False


def part_of(text: str, function: str | None) -> str:
    """The text of a function at the top of a module; the whole where there is none of that name."""
    if function is None:
        return text
    body = re.compile(
        rf"^(async )?def {re.escape(function)}\b.*?(?=^[A-Za-z_@]|\Z)", re.MULTILINE | re.DOTALL
    )
    found = body.search(text)
    return text if found is None else found[0]


def dotted_parts(path: Path) -> list[str]:
    """The parts of the dotted name of a file as a module."""
    parts = list(path.with_suffix("").parts)
    return parts[:-1] if parts[-1] == "__init__" else parts


def root_of(path: Path, parts: list[str]) -> Path:
    """The folder from which a file is imported by these parts."""
    above = len(parts) + (path.stem == "__init__")
    return path.parents[above - 1]


def inside(module: str, name: str) -> str:
    """The dotted name of what a module, or a package that is named by dots alone, holds."""
    return f"{module}{'' if module.endswith('.') else '.'}{name}"


def imported_modules(text: str) -> list[str]:
    """What a text imports, by the dotted names that modules may have."""
    found: list[str] = []
    for start, names, plain in _IMPORTED.findall(text):
        words = _WORD.findall(names)
        found += [start, *(inside(start, word) for word in words)] if start else []
        found += re.findall(r"[\w.]+", plain)
    return list(dict.fromkeys(found))
