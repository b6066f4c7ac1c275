"""A tokenizer's chat templates: what text they insert, and how they are kept unused."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from jinja2.exceptions import TemplateError

from guard.errors import TemplateOnBaseError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

GAP = "\0"
_WORDS = {role: f"cleanguardsentinel{role}" for role in ("system", "user", "assistant")}
_TALKS: tuple[tuple[str, ...], ...] = (
    ("system", "user", "assistant", "user"),
    ("user", "assistant", "user"),
    ("user",),
)

_TOOL = {"name": "look", "description": "Look.", "parameters": {"type": "object", "properties": {}}}
_TOOLS: dict[str, Any] = {
    "tools": [{"type": "function", "function": _TOOL}],
    "functions": "[]",
    "datetime": "2024-01-01",
}


def templates_of(tokenizer: PreTrainedTokenizerBase) -> dict[str, str]:
    """The chat templates by name; a single one is called `default`."""
    found = getattr(tokenizer, "chat_template", None)
    if not found:
        return {}
    return {"default": found} if isinstance(found, str) else dict(found)


def template_hashes(tokenizer: PreTrainedTokenizerBase) -> dict[str, str]:
    """sha256 of each template's text, as hex."""
    return {
        name: hashlib.sha256(text.encode()).hexdigest()
        for name, text in sorted(templates_of(tokenizer).items())
    }


def render(
    tokenizer: PreTrainedTokenizerBase,
    messages: list[dict[str, Any]],
    template: str,
    **options: Any,
) -> str | None:
    """A template's text for messages, past any block; None where the template refuses them."""
    apply = type(tokenizer).apply_chat_template
    # Many join a token to text without asking whether the tokenizer has it.
    known = tokenizer.special_tokens_map
    unnamed = {name: "" for name in ("bos_token", "eos_token") if name not in known}
    given = {"tokenize": False, **unnamed, **options}
    try:
        text = apply(tokenizer, messages, chat_template=template, **given)
    except (TemplateError, TypeError, ValueError, KeyError, AttributeError):
        return None
    return str(text)


def renderings(tokenizer: PreTrainedTokenizerBase) -> tuple[str, ...]:
    """Short chats as the templates render them, with `GAP` where the messages' own words stood."""
    found: dict[str, None] = {}
    for template in templates_of(tokenizer).values():
        found.update(dict.fromkeys(chats_of(tokenizer, template)))
    return tuple(found)


def chats_of(tokenizer: PreTrainedTokenizerBase, template: str) -> list[str]:
    """Short chats as one template renders them, with `GAP` for words; none if it refuses all."""
    chats = [chat for roles in _TALKS for chat in _chats(tokenizer, template, roles)]
    # Some templates are for calls with tools alone.
    return chats or _chats(tokenizer, template, ("user",), **_TOOLS)


def _chats(
    tokenizer: PreTrainedTokenizerBase, template: str, roles: tuple[str, ...], **options: Any
) -> list[str]:
    for parts in (False, True):  # content in parts is for templates that take no other
        talk = [{"role": role, "content": _content(role, parts)} for role in roles]
        texts = [
            render(tokenizer, talk, template, add_generation_prompt=prompt, **options)
            for prompt in (False, True)
        ]
        chats = [chat for text in texts if text and GAP in (chat := _with_gaps(text))]
        if chats:
            return chats
    return []


def _content(role: str, parts: bool) -> Any:
    return [{"type": "text", "text": _WORDS[role]}] if parts else _WORDS[role]


def _with_gaps(text: str) -> str:
    for word in _WORDS.values():
        text = text.replace(word, GAP)
    return text


def block_templates(tokenizer: PreTrainedTokenizerBase, model_id: str) -> None:
    """Make `apply_chat_template` raise on this object; the template stays for saving."""
    tokenizer.__dict__["apply_chat_template"] = partial(_refuse, model_id)


def is_blocked(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether `apply_chat_template` raises on this tokenizer."""
    return "apply_chat_template" in tokenizer.__dict__


def _refuse(model_id: str, *_args: object, **_kwargs: object) -> NoReturn:
    raise TemplateOnBaseError(
        f"apply_chat_template was called on the tokenizer of the base model {model_id}",
        remedy="give the base model plain text",
    )
