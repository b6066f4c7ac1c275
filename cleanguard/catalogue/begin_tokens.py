"""Who writes the first token: whether a published tokenizer adds BOS, and whether its chat template writes it.

They are two facts. Llama-3's tokenizer adds BOS and its template writes one, so a rendered text that is
tokenised again has two; Zephyr's tokenizer adds BOS and its template writes none, so it has one, and
telling a person to switch that off takes it away. Both differ by version within a family, so they are
kept by published id. What is not here may be either way.

The sources are the `chat_template` and the post-processor (or `add_bos_token`) in `tokenizer_config.json`
and `tokenizer.json` of the named repositories; mirrors that copy these files unchanged are named with them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cleanguard.catalogue.families import family_of
from cleanguard.catalogue.standing import judge, last_part

Writes = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a text for a model begins.

    Attributes:
        tokenizer: Whether a call of the tokenizer puts BOS first.
        template: Whether its chat template writes BOS first.
        bos: The text of its BOS; None where it has none or nothing is known.
        source: Where this is read.
    """

    tokenizer: Writes
    template: Writes
    bos: str | None
    source: str


UNKNOWN_BEGINNING = Beginning("unknown", "unknown", None, "nothing is known of this id")

_LLAMA3, _SENTENCEPIECE, _GEMMA = "<|begin_of_text|>", "<s>", "<bos>"
# What a base model's family adds; its own template, if it has one, is nobody's prompt.
_FAMILY_BOS = {
    "llama3": _LLAMA3,
    "llama2": _SENTENCEPIECE,
    "gemma": _GEMMA,
    "mistral": _SENTENCEPIECE,
    "opt": "</s>",
}
_MIRRORS = "(?:unsloth|nousresearch|huggyllama|meta-llama|mistralai|google|mistral-community)"


def _published(
    pattern: str, tokenizer: Writes, template: Writes, bos: str | None, source: str
) -> tuple[str, Beginning]:
    return pattern.replace("OWNER", _MIRRORS), Beginning(tokenizer, template, bos, source)


_PUBLISHED: tuple[tuple[str, Beginning], ...] = (
    _published(
        r"OWNER/(?:meta-)?llama-3(?:\.[123])?-\d+b-instruct", "yes", "yes", _LLAMA3,
        "meta-llama/Llama-3.1-8B-Instruct: `{{- bos_token }}`; Meta-Llama-3-8B-Instruct: `bos_token + content` "
        "for the first message; the post-processor of tokenizer.json adds <|begin_of_text|>",
    ),
    _published(
        r"OWNER/llama-2-\d+b-chat(?:-hf)?", "yes", "yes", _SENTENCEPIECE,
        "meta-llama/Llama-2-7b-chat-hf: `bos_token + '[INST] '`; add_bos_token: true",
    ),
    _published(
        r"OWNER/gemma-(?:1\.1-|2-|3-)?\d+[bm]-it", "yes", "yes", _GEMMA,
        "google/gemma-2-9b-it: `{{ bos_token }}`; add_bos_token: true",
    ),
    _published(
        r"OWNER/mi[sx]tral-(?:7b|8x7b|8x22b)-instruct-v0\.[123]", "yes", "yes", _SENTENCEPIECE,
        "mistralai/Mistral-7B-Instruct-v0.2: `{{ bos_token }}`; add_bos_token: true",
    ),
    _published(
        r"openchat/openchat[-_]3\.5(?:-\d{4})?", "yes", "yes", _SENTENCEPIECE,
        "openchat/openchat-3.5-0106: `{{ bos_token }}`",
    ),
    _published(
        r"nousresearch/hermes-2-pro-mistral-7b", "yes", "yes", _SENTENCEPIECE,
        "NousResearch/Hermes-2-Pro-Mistral-7B: `{{bos_token}}`",
    ),
    _published(
        r"nousresearch/hermes-2-pro-llama-3-8b", "yes", "yes", _LLAMA3,
        "NousResearch/Hermes-2-Pro-Llama-3-8B: `{{bos_token}}`",
    ),
    _published(
        r"(?:tinyllama/)?tinyllama-1\.1b-chat-v\d\.\d", "yes", "no", _SENTENCEPIECE,
        "TinyLlama/TinyLlama-1.1B-Chat-v1.0: `'<|user|>\\n' + message['content'] + eos_token`, no bos_token",
    ),
    _published(
        r"(?:huggingfaceh4/)?zephyr-7b-(?:alpha|beta)", "yes", "no", _SENTENCEPIECE,
        "HuggingFaceH4/zephyr-7b-beta: `'<|user|>\\n' + message['content'] + eos_token`, no bos_token",
    ),
    _published(
        r"(?:allenai/)?tulu-2(?:-dpo)?-\d+b", "yes", "no", _SENTENCEPIECE,
        "allenai/tulu-2-7b: `'<|user|>\\n' + message['content']`, no bos_token",
    ),
    _published(
        r"(?:teknium/)?openhermes-2(?:\.5)?-mistral-7b", "yes", "no", _SENTENCEPIECE,
        "teknium/OpenHermes-2.5-Mistral-7B: `'<|im_start|>' + message['role']`, no bos_token",
    ),
    _published(
        r"(?:upstage/)?solar-10\.7b-instruct-v1\.0", "yes", "no", _SENTENCEPIECE,
        "upstage/SOLAR-10.7B-Instruct-v1.0: `'### User:\\n' + message['content']`, no bos_token",
    ),
    _published(
        r"(?:lmsys/)?vicuna-\d+b-v1\.[1357](?:-16k)?", "yes", "unknown", _SENTENCEPIECE,
        "lmsys/vicuna-7b-v1.5 publishes no chat template",
    ),
    _published(
        r"(?:cohereforai|coherelabs)/(?:c4ai-command-r(?:-plus)?-v01|aya-23-\d+b)", "yes", "yes", "<BOS_TOKEN>",
        "CohereForAI/c4ai-command-r-v01: `{{ bos_token }}`; the post-processor adds <BOS_TOKEN>",
    ),
)  # fmt: skip


@lru_cache(maxsize=4096)
def beginning_of(model_id: str) -> Beginning:
    """What is known of the first token of a model's texts, by its id."""
    whole = model_id.rstrip("/").lower()
    for pattern, beginning in _PUBLISHED:
        if re.fullmatch(pattern, whole):
            return beginning
    family = family_of(model_id)
    if family is None:
        return UNKNOWN_BEGINNING
    if family.bos == "none":
        return Beginning("no", "no", None, f"tokenizers of the family {family.name} add no BOS")
    bos = _FAMILY_BOS.get(family.name)
    exact = judge(model_id).standing == "base" and not _is_by_others(last_part(model_id))
    if family.bos == "one" and bos is not None and exact:
        return Beginning(
            "yes", "unknown", bos, f"the tokenizer of the {family.name} bases adds BOS"
        )
    return UNKNOWN_BEGINNING


def adds_bos(model_id: str | None) -> Writes:
    """Whether a model's tokenizer puts BOS first."""
    return "unknown" if model_id is None else beginning_of(model_id).tokenizer


def _is_by_others(name: str) -> bool:
    """Bases whose files leave open what their tokenizer adds: other loaders decide (mistral-common)."""
    return re.match(r"mistral-(nemo|small)|ministral-3|llama-?4|gemma-[4-9]", name) is not None
