"""The settings of `cleanguard run evaluate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cleanguard.errors import JobError
from stages.config import option, section
from stages.engines import LARGE_VLLM, EngineName, VllmConfig, refuse_with_vllm
from stages.models import ASKING_PRESETS, ModelConfig
from stages.suites.code import ScorerConfig
from stages.suites.shots import FewShot

BASE = "base"


@dataclass(frozen=True)
class PlanConfig:
    """What is fixed before results are looked at."""

    alpha: float = option(0.05, "Two-sided level of the tests.", at_least=0.0001, at_most=0.5)
    power: float = option(0.8, "Power of the minimal detectable effect.", at_least=0.5, at_most=0.999)  # fmt: skip
    regressions: float = option(
        0.05, "Share of items expected to get worse although the whole improves.",
        at_least=0, at_most=0.4,
    )  # fmt: skip
    confidence: float = option(0.95, "Coverage of the intervals.", at_least=0.5, at_most=0.9999)
    resamples: int = option(10_000, "Bootstrap resamples.", at_least=100)
    minimum: int = option(200, "Fewer items than this are CG502.", at_least=1)


@dataclass(frozen=True)
class FewShotConfig:
    """The worked examples of the form `fewshot`."""

    count: int = option(4, "Worked examples in front of an item, at most.", at_least=1)
    seed: int = option(0, "Decides which ones an item is shown.", at_least=0)
    choice: Literal["drawn", "first"] = option(
        "drawn", "Drawn for each item by itself, or the first ones of the suite for all."
    )
    around: Literal["qa", "raw", "formatted"] = option("qa", "The form of each of them.")


@dataclass(frozen=True)
class ChoicesConfig:
    """Items with choices."""

    by: tuple[Literal["text", "letter"], ...] = option(
        ("text",), "What is scored: the choices' texts, or their letters below the prompt."
    )
    measure: Literal["total", "per_token", "per_byte", "per_character", "unconditional"] = option(
        "per_byte",
        "What decides; the report has them all. `unconditional` takes off what a choice has without the prompt.",
    )
    unconditional: bool = option(False, "Score each choice without its prompt as well.")


@dataclass(frozen=True)
class PerplexityConfig:
    """Items that are texts."""

    window: int = option(
        0, "Most positions read at once; 0 is the model's context, at most 2048.", at_least=0
    )
    overlap: int = option(
        0, "Tokens that a later window reads again; 0 is half of the window.", at_least=0
    )


@dataclass(frozen=True)
class JudgeConfig:
    """The model that judges answers of the scorer `judge`."""

    model: str = option("", "Directory or hub id; the base itself if left out.")
    template: Path | None = option(None, "A text file with {prompt}, {gold} and {answer}.")
    yes: str = option(" Yes", "The verdict that counts; it stands right behind the question.")
    no: str = option(" No", "The other one.")

    def __post_init__(self) -> None:
        if not self.yes or not self.no or self.yes == self.no:
            raise JobError("judge.yes and judge.no: two different texts, neither empty")


@dataclass(frozen=True)
class EvaluateConfig:
    """Which items are put to which models, in which form, and what the results are held against."""

    out: Path = option(Path("runs/evaluate"), "The run's folder.")
    suite: str = option(
        "instruct",
        "instruct, heldout, comprehensive, readiness, completion, qa, formats, sentinels, your own .jsonl "
        "file, or lm-eval:SAMPLES.jsonl.",
        reads="suite",
    )
    from_results: tuple[str, ...] = option(
        (),
        "Compare logged runs of lm-evaluation-harness instead of asking a model, in order, as name=samples.jsonl.",
    )
    metric: str = option(
        "", "With from_results, which of lm_eval's metrics; the first one if left out."
    )
    adapters: tuple[str, ...] = option(
        (),
        "Adapters to evaluate on the one base, in order, as name=directory; name=below+above for a stack.",
        reads="adapters",
    )
    base: bool = option(True, "Evaluate the bare base as well.")
    forms: tuple[Literal["raw", "formatted", "qa", "fewshot", "completion"], ...] = option(
        (), "Prompt forms for every model; the suite's own if left out."
    )
    base_forms: tuple[Literal["raw", "formatted", "qa", "fewshot", "completion"], ...] = option(
        ("raw", "completion"),
        "Further forms for the bare base, where the suite has them: what it can do when asked its own way.",
    )
    limit: int = option(0, "Evenly spaced items instead of all; 0 is all.", at_least=0)
    show: int = option(0, "Print this many items with every model's answer.", at_least=0)
    moved: int = option(
        6,
        "Gained and lost items, of each, that the report shows with the right answer.",
        at_least=0,
    )
    against: Path | None = option(
        None, "An earlier run's folder or results.jsonl to compare with, item by item."
    )
    training_data: tuple[Path, ...] = option(
        (),
        "Training files in JSON lines; items whose request stands in one are counted.",
        reads="file",
    )
    gate: bool = option(False, "Fail unless the last model's interval lies above the threshold.")
    threshold: float | None = option(
        None, "The gate's rate; the suite's own if left out.", at_least=0, at_most=1
    )
    gate_file: Path | None = option(
        None, "The gate.json of this session, to show in the report.", reads="file"
    )
    notice: Path | None = option(
        None, "A Methodology Change Notice, to link in the report.", reads="file"
    )
    any_base: bool = option(False, "Take adapters although they name another base.")
    max_new_tokens: int = option(64, "Longest answer in tokens.", at_least=1)
    temperature: float = option(0.0, "0 is greedy.", at_least=0)
    samples: int = option(1, "Answers per item, for pass@k; needs a temperature.", at_least=1)
    seed: int = option(0, "Of sampling and of the bootstrap.", at_least=0)
    batch_size: int = option(64, "Prompts at a time.", at_least=1)
    html: bool = option(True, "Write report.html, with plots, as well.")
    engine: EngineName = option(
        "transformers", "What answers; `vllm` is given token ids that the guard made."
    )
    fewshot: FewShotConfig = section(FewShotConfig)
    choices: ChoicesConfig = section(ChoicesConfig)
    perplexity: PerplexityConfig = section(PerplexityConfig)
    judge: JudgeConfig = section(JudgeConfig)
    scorer: ScorerConfig = section(ScorerConfig)
    plan: PlanConfig = section(PlanConfig)
    model: ModelConfig = section(ModelConfig)
    vllm: VllmConfig = section(VllmConfig)

    def __post_init__(self) -> None:
        refuse_with_vllm(self.engine, self.model, self.temperature, self._without_vllm)
        if self.samples > 1 and not self.temperature:
            raise JobError("samples: greedy answers to one prompt are the same; set temperature")
        if not self.base and not self.adapters:
            raise JobError(
                "base: without the base and without adapters there is no model to evaluate"
            )
        names = [name for name, _ in self.named_adapters]
        for name in names:
            if name == BASE or names.count(name) > 1:
                raise JobError(f"adapters: the name {name!r} is taken; every model has its own")

    @property
    def _without_vllm(self) -> dict[str, str]:
        found = {}
        if self.adapters:
            found["adapters"] = "vLLM is given no adapter here; evaluate it with transformers"
        if self.judge.model:
            found["judge.model"] = "vLLM holds one model here, and the base judges"
        return found

    @property
    def window_is_narrow(self) -> bool:
        """A window for perplexity that its own overlap fills."""
        return 0 < self.perplexity.window <= self.perplexity.overlap

    @property
    def few(self) -> FewShot:
        """How worked examples are chosen."""
        given = self.fewshot
        return FewShot(given.count, given.seed, given.choice, given.around)

    @property
    def named_adapters(self) -> tuple[tuple[str, tuple[Path, ...]], ...]:
        """Name and directories of each adapter; several directories are a stack, lowest first."""
        return tuple(_named(text) for text in self.adapters)


def _named(text: str) -> tuple[str, tuple[Path, ...]]:
    name, equals, rest = (part.strip() for part in text.partition("="))
    whole = Path(rest).expanduser()
    parts = [rest] if whole.exists() else [part.strip() for part in rest.split("+")]
    if not equals or not name or not all(parts):
        raise JobError(f"adapters: {text!r} is not of the form name=directory")
    return name, tuple(Path(part).expanduser() for part in parts)


PRESETS: Mapping[str, Mapping[str, Any]] = {**ASKING_PRESETS, "qwen2.5-32b-vllm": LARGE_VLLM}
