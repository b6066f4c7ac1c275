"""The cheap questions before the expensive parse: can any rule fire on this file?"""

from __future__ import annotations

import ast
import re

# Every hazard needs one of these words; a file without them is clean whatever it does.
_TRIGGER_WORDS = (
    rb"from_pretrained",
    rb"chat_template",
    rb"BitsAndBytesConfig",
    rb"add_special_tokens",
    rb"CleanModelLoader",
    rb"\.generate\b",
    rb"\bpipeline\s*\(",
    rb"\bvllm\b",
    rb"\btrl\b",
    rb"torch\.load\b",
    rb"TrainingArguments",
    rb"setup_chat_format",
    rb"\bLoraConfig\b",
)
_TRIGGERS = re.compile(b"|".join(_TRIGGER_WORDS))
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


def has_trigger(raw: bytes) -> bool:
    """Whether the bytes hold a word without which no rule can fire."""
    return _TRIGGERS.search(raw) is not None


def may_matter(tree: ast.Module) -> bool:
    """Whether a trigger word stands in code, not only in comments and text."""
    return any(_matters(node, _TRIGGER_NAMES) for node in ast.walk(tree))


def may_export(tree: ast.Module) -> bool:
    """Whether other modules can get a value that matters from this one."""
    return any(_matters(node, _EXPORTED_NAMES) for node in ast.walk(tree))


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
