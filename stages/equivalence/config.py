"""The settings of `cleanguard run equivalence`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stages.config import option, section
from stages.models import ASKING_PRESETS, ModelConfig
from stages.suites.code import ScorerConfig


@dataclass(frozen=True)
class OldPath:
    """How the code before migration tokenised and generated; the defaults are the legacy scripts'."""

    add_special_tokens: bool = option(False, "As it was passed to the tokenizer.")
    chat_template: bool = option(False, "The prompt was put through the chat template.")
    padding_side: Literal["left", "right"] = option("left", "Matters above a batch of 1.")
    batch_size: int = option(1, "Prompts at a time.", at_least=1)
    repetition_penalty: float | None = option(None, "As it was passed to generate.", at_least=0.01)
    own_settings: bool = option(
        True, "The model's generation_config was in force, as it is unless replaced."
    )


@dataclass(frozen=True)
class EquivalenceConfig:
    """Which prompts go both ways, and how much may differ."""

    out: Path = option(Path("runs/equivalence"), "The run's folder.")
    suite: str = option("instruct", "A suite's name, or a .jsonl file of your own.", reads="suite")
    form: Literal["raw", "formatted", "qa", "fewshot", "completion"] = option(
        "formatted", "The prompt form."
    )
    limit: int = option(200, "Evenly spaced items; 0 is all.", at_least=0)
    margin: float = option(0.05, "Share of answers that may differ.", at_least=0, at_most=0.5)
    minimum: int = option(200, "Fewer prompts than this are CG502.", at_least=1)
    max_new_tokens: int = option(64, "Longest answer in tokens.", at_least=1)
    batch_size: int = option(64, "Prompts at a time on the guarded path.", at_least=1)
    old: OldPath = section(OldPath)
    scorer: ScorerConfig = section(ScorerConfig)
    model: ModelConfig = section(ModelConfig)


PRESETS: Mapping[str, Mapping[str, Any]] = ASKING_PRESETS
