"""What is known about model families by their name: who has a BOS.

Which ids are base and which are chat says `standing`; what each published tokenizer does, `begin_tokens`.
Pure data and string matching, so that the linter can use it without torch; the runtime measures the
tokenizer itself and uses this only to say what it expected.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from cleanguard.catalogue.standing import last_part

BosPolicy = Literal["one", "none", "unknown"]


@dataclass(frozen=True, slots=True)
class Family:
    """A model family as its model ids show it.

    Attributes:
        name: Family name, as `guard.prompts.families` uses it.
        pattern: Matches the last part of a model id, lower-cased.
        bos: How many BOS tokens a prompt starts with: one, none, or unknown.
    """

    name: str
    pattern: re.Pattern[str]
    bos: BosPolicy


FAMILIES: tuple[Family, ...] = (
    Family("qwen3", re.compile(r"^qwen3"), "none"),
    Family("qwen2", re.compile(r"^(qwen1\.5|qwen2(\.5)?)\b"), "none"),
    Family("qwen", re.compile(r"^qwen-"), "none"),
    Family("llama3", re.compile(r"^(meta-)?llama-?3"), "one"),
    Family(
        "llama2",
        re.compile(
            r"^(meta-)?llama-?2|^llama-\d+b|^open_?llama|^tinyllama|^codellama|^sheared-llama|^llemma"
        ),
        "one",
    ),
    Family("gemma", re.compile(r"^gemma"), "one"),
    Family("mistral", re.compile(r"^(mistral|mixtral|ministral)"), "one"),
    Family("deepseek", re.compile(r"^deepseek"), "one"),
    Family("smollm", re.compile(r"^smollm\d?"), "none"),
    Family("gpt2", re.compile(r"^(distil)?gpt2"), "none"),
    Family("gpt-neox", re.compile(r"^(pythia|gpt-neo|gpt-neox|gpt-j)"), "none"),
    Family("olmo", re.compile(r"^olmo"), "none"),
    Family("falcon", re.compile(r"^falcon"), "none"),
    Family("opt", re.compile(r"^opt-"), "one"),
    Family("bloom", re.compile(r"^bloom(-\d|$)"), "none"),
    Family("yi", re.compile(r"^yi-"), "unknown"),
    Family("phi", re.compile(r"^phi-"), "none"),
    Family("stablelm", re.compile(r"^stable(lm|-code)-(?!.*zephyr)"), "none"),
    Family("starcoder", re.compile(r"^(starcoder|santacoder|codegen)"), "none"),
    Family("mpt", re.compile(r"^mpt-"), "none"),
    Family("granite", re.compile(r"^granite-"), "none"),
    Family("mamba", re.compile(r"^(falcon-)?mamba"), "none"),
)


def family_of(model_id: str) -> Family | None:
    """The family that a hub id or directory name belongs to, None if the name tells nothing."""
    name = last_part(model_id)
    return next((family for family in FAMILIES if family.pattern.search(name)), None)
