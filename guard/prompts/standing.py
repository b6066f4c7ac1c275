"""Tells a chat-tuned checkpoint from a base model by its name, its tokenizer and its end tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cleanguard.catalogue import hazards
from cleanguard.catalogue.standing import last_part, says_chat, standing_of
from guard.base.checks import CheckList
from guard.errors import ChatModelError
from guard.files.source import ModelSource
from guard.prompts.bos import added_before
from guard.prompts.names import ends_a_turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MOST_IDS = 2**31  # what a tokenizer can count to; a damaged file may say more


def chat_evidence(source: ModelSource, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """What speaks for a chat model, in words; empty for a base model."""
    found: list[str] = []
    if source.kind == "hub" and standing_of(source.requested) == "chat":
        found.append(f"the id {source.requested} names a chat model")
    if ends_a_turn(tokenizer.eos_token):
        found.append(f"the tokenizer's EOS is the turn end {tokenizer.eos_token!r}")
    if ends_a_turn(tokenizer.bos_token):
        found.append(f"the tokenizer's BOS is the control token {tokenizer.bos_token!r}")
    turns = [
        t for t in tokenizer.convert_ids_to_tokens(list(added_before(tokenizer))) if ends_a_turn(t)
    ]
    if turns and turns != [tokenizer.bos_token]:
        found.append(f"the tokenizer puts {''.join(turns)} before every text")
    for name in ("config.json", "generation_config.json"):
        for index in ids_in(source.read_json(name).get("eos_token_id")):
            token = tokenizer.convert_ids_to_tokens(index)
            if ends_a_turn(token):
                found.append(f"{name} ends texts at {token!r} ({index})")
    made_of = source.read_json("config.json").get("_name_or_path")
    if isinstance(made_of, str) and _says_chat(made_of):
        found.append(f"config.json says that it was made of {made_of}")
    return found


def _says_chat(model_id: str) -> bool:
    """Whether the id itself says so, not only its family."""
    return says_chat(last_part(model_id))


def refuse_chat_model(
    source: ModelSource,
    tokenizer: PreTrainedTokenizerBase,
    checks: CheckList,
    *,
    allowed: bool,
) -> None:
    """Raise ChatModelError for a chat model, unless it is allowed; noted either way."""
    found = chat_evidence(source, tokenizer)
    if found and not allowed:
        raise ChatModelError(
            f"{source.requested} is a chat model: {'; '.join(found)}",
            evidence={"found": found},
            remedy="name the base checkpoint, or pass allow_chat_model=True",
        )
    checks.add(
        "base-model",
        hazards.CHAT_MODEL_AS_BASE,
        "; ".join(found),
        "overridden" if found else "pass",
    )


def ids_in(value: Any) -> list[int]:
    """The ids in a field such as `eos_token_id`: one, a list, or nothing that could be one."""
    listed = value if isinstance(value, list) else [value]
    return [index for index in listed if type(index) is int and 0 <= index < _MOST_IDS]
