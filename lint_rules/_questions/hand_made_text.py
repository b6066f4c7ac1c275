"""Text that code writes special tokens or a chat format into by hand, and where it may end up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.text import BOS_TEXTS
from lint_rules._light import tree as cst
from lint_rules._questions.reach import Reach, Ways

_BOS_NAMES = frozenset(
    [
        "bos_token",
        "bos_token_id",
        "special_tokens_map",
        "special_tokens_map_extended",
        "all_special_tokens",
        "all_special_ids",
        "build_inputs_with_special_tokens",
    ]
)
_BOS = re.compile("|".join(re.escape(text) for text in BOS_TEXTS if "\0" not in text))
# What a template of a chat model inserts, and calls that render a conversation.
_CHAT = re.compile(
    r"<\|(im_start|im_end|start_header_id|end_header_id|eot_id|user|assistant|system|end)\|>"
    r"|<(start|end)_of_turn>|<｜(User|Assistant)｜>|\[/?INST\]|<</?SYS>>"
)
_RENDERS = frozenset(
    "apply_chat_template get_conv_template get_conversation_template conv_templates".split()  # noqa: SIM905
)


def text_of(node: cst.CSTNode) -> str | None:
    """The text of a literal, or of the literal part of an f-string."""
    if isinstance(node, cst.FormattedStringText):
        return node.value
    value = node.evaluated_value if isinstance(node, cst.SimpleString) else None
    return value if isinstance(value, str) else None


def names_bos(node: cst.CSTNode) -> bool:
    """Whether a node is a tokenizer's BOS, by attribute, key or spelling."""
    if isinstance(node, cst.Attribute):
        return node.attr.value in _BOS_NAMES
    text = text_of(node)
    return text is not None and (text in _BOS_NAMES or _BOS.search(text) is not None)


def names_chat(node: cst.CSTNode) -> bool:
    """Whether a node writes or renders a chat format."""
    if isinstance(node, cst.Attribute):
        return node.attr.value in _RENDERS
    if isinstance(node, cst.Name):
        return node.value in _RENDERS
    text = text_of(node)
    return text is not None and writes_chat(text)


def writes_chat(text: str) -> bool:
    """Whether a text holds a control token of a chat format."""
    return _CHAT.search(text) is not None


def ways_of(flow: Flow) -> Ways:
    """How names reach each other in a module; ask it with `flow.once`."""
    return Ways(flow.module)


def bos_reach(flow: Flow) -> Reach:
    """Where a BOS that code writes into text or ids may end up; ask it with `flow.once`."""
    ways = flow.once(ways_of)
    return Reach(flow.module, names_bos, ways=ways, seeds=_seeds(ways, names_bos, _BOS_NAMES))


def chat_reach(flow: Flow) -> Reach:
    """Where text of a chat format may end up; ask it with `flow.once`."""
    ways = flow.once(ways_of)
    return Reach(flow.module, names_chat, ways=ways, seeds=_seeds(ways, names_chat, _RENDERS))


def _seeds(
    ways: Ways, is_seed: Callable[[cst.CSTNode], bool], names: Iterable[str]
) -> list[cst.CSTNode]:
    """The nodes of a kind, by the names that they may have and the texts that they may be."""
    keys = [key for name in names for key in (name, f".{name}")]
    named = [node for key in keys for node in ways.by_key.get(key, ())]
    return list(filter(is_seed, (*named, *ways.texts)))
