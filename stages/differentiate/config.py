"""The settings of `cleanguard run differentiate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cleanguard.errors import JobError
from stages.config import option, section
from stages.evaluate.config import EvaluateConfig, PlanConfig
from stages.models import ASKING_PRESETS, ModelConfig
from stages.suites.code import ScorerConfig


@dataclass(frozen=True)
class DifferentiateConfig:
    """Which models are told apart on which items, at which temperatures, by how many answers."""

    out: Path = option(Path("runs/differentiate"), "The run's folder.")
    suite: str = option(
        "instruct",
        "instruct, heldout, comprehensive, readiness, completion, qa, formats, sentinels, or your own .jsonl file.",
        reads="suite",
    )
    adapters: tuple[str, ...] = option(
        ("sft=runs/sft/adapter", "dpo=runs/dpo/adapter"),
        "The steps from the base, in order, as name=directory; name=below+above for a stack.",
        reads="adapters",
    )
    temperatures: tuple[float, ...] = option(
        (0.1, 0.5, 0.9), "Of the answers; 0 is greedy and gives one answer an item.", at_least=0
    )
    samples: int = option(
        4, "Answers per item and temperature; their average is the item's.", at_least=1
    )
    form: Literal["suite", "raw", "formatted", "qa", "fewshot", "completion"] = option(
        "suite", "The prompt form of all models; `suite` is the suite's own."
    )
    limit: int = option(0, "Evenly spaced items instead of all; 0 is all.", at_least=0)
    margin: float = option(
        0.1, "A difference that changes by less than this over the temperatures counts as the same.",
        at_least=0.001, at_most=1,
    )  # fmt: skip
    gate: bool = option(
        False, "Fail unless every step is consistently better than the one before it."
    )
    training_data: tuple[Path, ...] = option(
        (),
        "Training files in JSON lines; items whose request stands in one are counted.",
        reads="file",
    )
    gate_file: Path | None = option(
        None, "The gate.json of this session, to show in the report.", reads="file"
    )
    notice: Path | None = option(
        None, "A Methodology Change Notice, to link in the report.", reads="file"
    )
    any_base: bool = option(False, "Take adapters although they name another base.")
    max_new_tokens: int = option(64, "Longest answer in tokens.", at_least=1)
    seed: int = option(0, "Every answer has a seed of its own, made from this one.", at_least=0)
    batch_size: int = option(64, "Answers at a time.", at_least=1)
    html: bool = option(True, "Write report.html, with plots, as well.")
    scorer: ScorerConfig = section(ScorerConfig)
    plan: PlanConfig = section(PlanConfig)
    model: ModelConfig = section(ModelConfig)

    def __post_init__(self) -> None:
        if not self.temperatures:
            raise JobError("temperatures: name at least one")
        if len(set(self.temperatures)) < len(self.temperatures):
            raise JobError(f"temperatures: one stands twice in {list(self.temperatures)}")
        if not self.adapters:
            raise JobError("adapters: without one there is nothing to tell from the base")
        self.at(self.temperatures[0])  # the adapters' names are checked there

    def at(self, temperature: float) -> EvaluateConfig:
        """The settings under which the models answer at one temperature."""
        return EvaluateConfig(
            out=self.out,
            suite=self.suite,
            adapters=self.adapters,
            any_base=self.any_base,
            max_new_tokens=self.max_new_tokens,
            temperature=temperature,
            samples=self.samples if temperature else 1,
            seed=self.seed,
            batch_size=self.batch_size,
            model=self.model,
        )


PRESETS: Mapping[str, Mapping[str, Any]] = {
    **ASKING_PRESETS,
    # A first look; verdicts and report say that these are too few items.
    "small": {**ASKING_PRESETS["tiny"], "limit": 50, "samples": 2},
}
