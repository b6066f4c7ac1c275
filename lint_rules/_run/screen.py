"""The cheap questions before the expensive parse: can any rule fire on this file?"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from lint_rules._run.told import stands_in_texts_alone

# Every hazard needs one of these words; a file without them is clean whatever it does. Looking for a
# word is many times as fast as looking for a pattern.
_TRIGGER_WORDS = (
    b"from_pretrained",
    b"chat_template",
    b"BitsAndBytesConfig",
    b"add_special_tokens",
    b"CleanModelLoader",
    b"TrainingArguments",
    b"setup_chat_format",
    b"from_quantized",
)
_TRIGGER_PATTERNS = {
    b".generate": re.compile(rb"\.generate\b"),
    b"pipeline": re.compile(rb"\bpipeline\s*\("),
    b"nnsight": re.compile(rb"\bnnsight\b"),
    b"vllm": re.compile(rb"\bvllm\b"),
    b"trl": re.compile(rb"\btrl\b"),
    b"torch.load": re.compile(rb"torch\.load\b"),
    b"LoraConfig": re.compile(rb"\bLoraConfig\b"),
}
_TRIGGER_NAMES = frozenset(
    [
        "from_pretrained",
        "chat_template",
        "default_chat_template",
        "apply_chat_template",
        "clone_chat_template",
        "get_chat_template",
        "setup_chat_format",
        "chat_template_path",
        "BitsAndBytesConfig",
        "add_special_tokens",
        "CleanModelLoader",
        "generate",
        "pipeline",
        "load",
        "TrainingArguments",
        "LoraConfig",
        "vllm",
        "trl",
        "from_quantized",
        "nnsight",
    ]
)


# What a module must name for its functions and classes to give other modules a value that matters.
_EXPORTED_NAMES = frozenset(
    [
        "from_pretrained",
        "from_quantized",
        "nnsight",
        "CleanModelLoader",
        "pipeline",
        "apply_chat_template",
        "add_special_tokens",
        "chat_template",
        "vllm",
    ]
)


@dataclass(frozen=True, slots=True)
class Screened:
    """What the cheap questions say about a file's syntax.

    Attributes:
        matters: A trigger word stands in code, not only in comments and text.
        exports: Other modules can get a value that matters from this one.
    """

    matters: bool
    exports: bool


def has_trigger(raw: bytes) -> bool:
    """Whether the bytes hold a word without which no rule can fire."""
    return any(word in raw for word in _TRIGGER_WORDS) or any(
        word in raw and pattern.search(raw) is not None
        for word, pattern in _TRIGGER_PATTERNS.items()
    )


def screened(tree: ast.Module, text: str) -> Screened:
    """Asks the cheap questions about a file that could be parsed."""
    exports = _stands_in(_EXPORTED_NAMES, tree, text)
    return Screened(exports or _stands_in(_TRIGGER_NAMES - _EXPORTED_NAMES, tree, text), exports)


def is_told(text: str) -> bool:
    """Whether all trigger words of a file that parses certainly stand in comments and texts alone."""
    return stands_in_texts_alone(text, _places(_TRIGGER_NAMES, text), _TRIGGER_NAMES)


def _stands_in(words: frozenset[str], tree: ast.Module, text: str) -> bool:
    """Whether a word stands in code. Goes down to the nodes on whose lines one stands: they are few."""
    lines = _lines_with(words, text)
    if not lines:
        return False
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        start = getattr(node, "lineno", None)
        if start is not None:
            if getattr(node, "decorator_list", None):
                start = node.decorator_list[0].lineno  # type: ignore[attr-defined]
            nearest = bisect_left(lines, start)
            if nearest == len(lines) or lines[nearest] > (node.end_lineno or start):  # type: ignore[attr-defined]
                continue
        if isinstance(node, ast.JoinedStr):  # Python 3.11 misplaces what stands in it
            if any(_word_of(inner) in words for inner in ast.walk(node)):
                return True
        elif _word_of(node) in words:
            return True
        else:
            waiting.extend(ast.iter_child_nodes(node))
    return False


def _lines_with(words: frozenset[str], text: str) -> list[int]:
    """The numbers of the lines in which a word stands, in order."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines: list[int] = []
    row, seen = 1, 0
    for place in _places(words, text):
        row += text.count("\n", seen, place)
        seen = place
        if not lines or lines[-1] != row:
            lines.append(row)
    return lines


def _places(words: frozenset[str], text: str) -> list[int]:
    """Where words stand as whole names, in order."""
    return sorted(at for word, places in _all_places(text) if word in words for at in places)


@lru_cache(maxsize=1)  # a file is asked up to three times in a row
def _all_places(text: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((word, tuple(_places_of(word, text))) for word in _TRIGGER_NAMES)


def _places_of(word: str, text: str) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not (_goes_on(text[at - 1 : at]) or _goes_on(text[end : end + 1])):
            yield at
        at = text.find(word, end)


def _goes_on(letter: str) -> bool:
    """Whether a name goes on with a letter; none stands at the end of a file."""
    return letter.isalnum() or letter == "_"


def _word_of(node: ast.AST) -> str | None:
    """The name that a node stands for, if any."""
    if isinstance(node, ast.Attribute):
        return None if node.attr == "load" and not _is_torch(node.value) else node.attr
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.alias):
        return node.name
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").partition(".")[0]
    if isinstance(node, ast.keyword):
        return None if _is_default(node) else node.arg
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        # A name given to setattr, or the path of a callable given to hydra.
        return "from_pretrained" if node.value.endswith(".from_pretrained") else node.value
    return None


def _is_torch(node: ast.expr) -> bool:
    """`torch.load` is what a rule asks about; every other loader has a trigger word of its own."""
    return isinstance(node, ast.Name) and node.id == "torch"


def _is_default(node: ast.keyword) -> bool:
    """`add_special_tokens=True` says what holds without it, and that is no trigger either."""
    return node.arg == "add_special_tokens" and (
        isinstance(node.value, ast.Constant) and node.value.value is True
    )
