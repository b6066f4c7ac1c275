"""What is known about model families by their name: which ids are base, which are chat, who has a BOS.

Pure data and string matching, so that the linter can use it without torch; the runtime measures the
tokenizer itself and uses this only to say what it expected.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Standing = Literal["base", "chat", "unknown"]
BosPolicy = Literal["one", "none", "unknown"]


@dataclass(frozen=True, slots=True)
class Family:
    """A model family as its model ids show it.

    Attributes:
        name: Family name, as `guard.prompts.families` uses it.
        pattern: Matches the last part of a model id, lower-cased.
        bos: How many BOS tokens a prompt starts with: one, none, or unknown.
        base_by_default: An id without a chat marker is a base model (false where the plain name is the
            chat model, as in Qwen3, whose bases end in `-Base`).
    """

    name: str
    pattern: re.Pattern[str]
    bos: BosPolicy
    base_by_default: bool = True


FAMILIES: tuple[Family, ...] = (
    Family("qwen3", re.compile(r"^qwen3"), "none", base_by_default=False),
    Family("qwen2", re.compile(r"^(qwen1\.5|qwen2(\.5)?)\b"), "none"),
    Family("qwen", re.compile(r"^qwen-"), "none"),
    Family("llama3", re.compile(r"^(meta-)?llama-?3"), "one"),
    Family("llama2", re.compile(r"^(meta-)?llama-?2|^llama-\d+b|^open_llama|^tinyllama"), "one"),
    Family("gemma", re.compile(r"^gemma"), "one"),
    Family("mistral", re.compile(r"^(mistral|mixtral|ministral)"), "one"),
    Family("deepseek", re.compile(r"^deepseek"), "one", base_by_default=False),
    Family("smollm", re.compile(r"^smollm\d?"), "none"),
    Family("gpt2", re.compile(r"^(distil)?gpt2"), "none"),
    Family("gpt-neox", re.compile(r"^(pythia|gpt-neo|gpt-neox|gpt-j)"), "none"),
    Family("olmo", re.compile(r"^olmo"), "none"),
    Family("falcon", re.compile(r"^falcon"), "none"),
    Family("opt", re.compile(r"^opt-"), "one"),
    Family("bloom", re.compile(r"^bloom(-\d|$)"), "none"),
    Family("yi", re.compile(r"^yi-"), "unknown"),
    Family("phi", re.compile(r"^phi-"), "none", base_by_default=False),
)

_CHAT_MARKER = re.compile(
    r"(^|[-_.])(instruct|inst|chat|it|sft|dpo|rlhf|assistant|zephyr|vicuna|alpaca|hermes|tulu|thinking|reasoner|"
    r"dolphin|openchat|orca|guanaco|wizardlm|r1)(?=$|[-_.]|v?\d)"
)
_BASE_MARKER = re.compile(r"(^|[-_.])(base|pt|pretrained)(?=$|[-_.])")
# Encoders, sequence-to-sequence, speech, vision and embedding models: no prompt is completed by them.
_NOT_CAUSAL = re.compile(
    r"(^|[-_./])(\w*bert\w*|\w*roberta\w*|electra|albert|xlnet|xlm|mpnet|minilm|t5|flan|mt5|ul2|m?bart|pegasus|led|"
    r"bge|gte|e5|jina|nomic|\w*embed\w*|\w*rerank\w*|sbert|simcse|whisper|wav2vec2|clip|siglip|vit|blip2?|layoutlm|"
    r"opus|nllb|m2m100|marian)(?=$|[-_.\d])"
)
_MODEL_ID = re.compile(r"^[A-Za-z0-9][\w.\-]*(/[A-Za-z0-9][\w.\-]*)?$")


def family_of(model_id: str) -> Family | None:
    """The family that a hub id or directory name belongs to, None if the name tells nothing."""
    name = _last_part(model_id)
    return next((family for family in FAMILIES if family.pattern.search(name)), None)


def is_not_causal(model_id: str) -> bool:
    """Whether an id names a model of another kind: an encoder, a translator, an embedder."""
    return _NOT_CAUSAL.search(_last_part(model_id)) is not None


def standing_of(
    model_id: str, base_models: tuple[str, ...] = (), chat_models: tuple[str, ...] = ()
) -> Standing:
    """Whether a model id names a base or a chat model.

    Args:
        model_id: A hub id such as `Qwen/Qwen2.5-32B`, or a path.
        base_models: Shell-style patterns from the configuration that win over the built-in data.
        chat_models: The same for chat models; wins over `base_models`.
    """
    from fnmatch import fnmatchcase

    if any(fnmatchcase(model_id, pattern) for pattern in chat_models):
        return "chat"
    if any(fnmatchcase(model_id, pattern) for pattern in base_models):
        return "base"
    if not _MODEL_ID.match(model_id):
        return "unknown"  # a path: its last folder's name is the user's, not the publisher's
    name = _last_part(model_id)
    if _CHAT_MARKER.search(name):
        return "chat"
    if is_not_causal(model_id):
        return "unknown"
    if _BASE_MARKER.search(name):
        return "base"
    family = family_of(model_id)
    if family is None:
        return "unknown"
    return "base" if family.base_by_default else "chat"


def _last_part(model_id: str) -> str:
    return model_id.rstrip("/").rsplit("/", 1)[-1].lower()
