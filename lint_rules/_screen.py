"""The cheap questions before the expensive parse: can any rule fire on this file?"""

from __future__ import annotations

import ast
import re

# Every hazard needs one of these words; a file without them is clean whatever it does.
_TRIGGER_WORDS = (
    b"from_pretrained",
    b"chat_template",
    b"BitsAndBytesConfig",
    b"add_special_tokens",
    b"CleanModelLoader",
    b"\\.generate",
)
_TRIGGERS = re.compile(b"|".join(_TRIGGER_WORDS))
_TRIGGER_NAMES = frozenset(
    {
        "from_pretrained",
        "chat_template",
        "default_chat_template",
        "BitsAndBytesConfig",
        "add_special_tokens",
        "CleanModelLoader",
        "generate",
    }
)


def has_trigger(raw: bytes) -> bool:
    """Whether the bytes hold a word without which no rule can fire."""
    return _TRIGGERS.search(raw) is not None


def may_matter(tree: ast.Module) -> bool:
    """Whether a trigger word stands in code, not only in comments and text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if node.attr in _TRIGGER_NAMES:
                return True
        elif isinstance(node, ast.Name):
            if node.id in _TRIGGER_NAMES:
                return True
        elif isinstance(node, ast.alias):
            if node.name in _TRIGGER_NAMES:
                return True
        elif isinstance(node, ast.keyword):
            if node.arg in _TRIGGER_NAMES:
                return True
        elif isinstance(node, ast.Constant) and node.value in _TRIGGER_NAMES:
            return True  # setattr(tokenizer, "chat_template", None)
    return False
