"""The cheap questions before the expensive parse: can any rule fire on this file?"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left

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
)
_TRIGGER_PATTERNS = {
    b".generate": re.compile(rb"\.generate\b"),
    b"pipeline": re.compile(rb"\bpipeline\s*\("),
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
    ]
)


# What a module must name for its functions and classes to give other modules a value that matters.
_EXPORTED_NAMES = frozenset(
    [
        "from_pretrained",
        "CleanModelLoader",
        "pipeline",
        "apply_chat_template",
        "add_special_tokens",
        "chat_template",
        "vllm",
    ]
)


def _any_word(words: frozenset[str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(sorted(words))})\b")


_TRIGGER_NAME = _any_word(_TRIGGER_NAMES)
_EXPORTED_NAME = _any_word(_EXPORTED_NAMES)


def has_trigger(raw: bytes) -> bool:
    """Whether the bytes hold a word without which no rule can fire."""
    return any(word in raw for word in _TRIGGER_WORDS) or any(
        word in raw and pattern.search(raw) is not None
        for word, pattern in _TRIGGER_PATTERNS.items()
    )


def may_matter(tree: ast.Module, text: str) -> bool:
    """Whether a trigger word stands in code, not only in comments and text."""
    return _stands_in(tree, text, _TRIGGER_NAMES, _TRIGGER_NAME)


def may_export(tree: ast.Module, text: str) -> bool:
    """Whether other modules can get a value that matters from this one."""
    return _stands_in(tree, text, _EXPORTED_NAMES, _EXPORTED_NAME)


def _stands_in(
    tree: ast.Module, text: str, names: frozenset[str], pattern: re.Pattern[str]
) -> bool:
    """Goes down to the nodes on whose lines a word stands, which are few."""
    lines = _lines_with(pattern, text)
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
            if any(_matters(inner, names) for inner in ast.walk(node)):
                return True
        elif _matters(node, names):
            return True
        else:
            waiting.extend(ast.iter_child_nodes(node))
    return False


def _lines_with(pattern: re.Pattern[str], text: str) -> list[int]:
    """The numbers of the lines in which a word stands, in order."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines: list[int] = []
    row, seen = 1, 0
    for match in pattern.finditer(text):
        row += text.count("\n", seen, match.start())
        seen = match.start()
        if not lines or lines[-1] != row:
            lines.append(row)
    return lines


def _matters(node: ast.AST, names: frozenset[str]) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in names and (node.attr != "load" or _is_torch(node.value))
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, ast.alias):
        return node.name in names
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").partition(".")[0] in names
    if isinstance(node, ast.keyword):
        return node.arg in names and not _is_default(node)
    # A name given to setattr is a text.
    return isinstance(node, ast.Constant) and node.value in names


def _is_torch(node: ast.expr) -> bool:
    """`torch.load` is what a rule asks about; every other loader has a trigger word of its own."""
    return isinstance(node, ast.Name) and node.id == "torch"


def _is_default(node: ast.keyword) -> bool:
    """`add_special_tokens=True` says what holds without it, and that is no trigger either."""
    return node.arg == "add_special_tokens" and (
        isinstance(node.value, ast.Constant) and node.value.value is True
    )
