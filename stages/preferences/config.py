"""The settings of `cleanguard run preferences`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cleanguard.errors import JobError
from stages.config import option, section
from stages.generate.config import PROMPT
from stages.models import LARGE_MODEL, TINY_MODEL, ModelConfig


@dataclass(frozen=True)
class PreferencesConfig:
    """Which prompts, how they are sampled, who judges, and which pairs are kept."""

    out: Path = option(Path("runs/preferences"), "The run's folder.")
    seed: int = option(0, "Every sample has a seed of its own, made from this one.", at_least=0)
    file: Path | None = option(
        None,
        "JSON lines with `instruction`; `group`, `ask`, `gold` and `match` are optional.",
        reads="file",
    )
    adapter: Path | None = option(
        Path("runs/sft/adapter"),
        "The adapter that answers; `none` lets the base answer.",
        reads="adapter",
    )
    prompt: str = option(PROMPT, "What the model is asked; {instruction} stands in it.")
    k: int = option(8, "Samples per prompt.", at_least=2)
    temperature: float = option(1.0, "Of the samples.", at_least=0.01)
    top_p: float | None = option(None, "Cuts the distribution.", at_least=0, at_most=1)
    max_new_tokens: int = option(128, "Longest answer; one that does not end is never used.", at_least=1)  # fmt: skip
    judge: Literal["verifier", "logprob"] = option(
        "verifier",
        "`verifier` compares with `gold`; `logprob` asks the base, per token, without the adapter.",
    )
    min_margin: float = option(
        0.5, "How much better the chosen must score; signed, never its absolute value.", at_least=0
    )
    negatives: Literal["sampled", "file"] = option("sampled", "Where rejected answers come from.")
    negatives_file: Path | None = option(
        None, "For `negatives = file`: JSON lines with `instruction` and `rejected`.", reads="file"
    )
    max_pairs: int = option(3, "Most pairs per prompt.", at_least=1)
    eval_share: float = option(
        0.1, "Share of the groups whose pairs are held out.", at_least=0, at_most=0.5
    )
    batch_size: int = option(64, "Sequences at a time.", at_least=1)
    model: ModelConfig = section(ModelConfig)

    def __post_init__(self) -> None:
        if "{instruction}" not in self.prompt:
            raise JobError("prompt: {instruction} is missing in it")
        if (self.negatives == "file") != (self.negatives_file is not None):
            raise JobError("negatives_file: it goes with negatives = file, and that needs it")
        if self.judge == "verifier" and self.min_margin > 1:
            raise JobError("min_margin: a verifier's scores are 0 and 1, so no margin is above 1")


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "tiny": {
        **TINY_MODEL,
        "max_new_tokens": 20,
        "eval_share": 0.0,
        "batch_size": 512,
    },
    "qwen2.5-32b": {
        **LARGE_MODEL,
        "batch_size": 64,
    },
}
