"""The settings of `cleanguard run generate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cleanguard.errors import JobError
from stages.config import option, section
from stages.engines import LARGE_VLLM, EngineName, VllmConfig, refuse_with_vllm
from stages.models import LARGE_MODEL, TINY_MODEL, ModelConfig

PROMPT = "Instruction: {instruction}\nResponse:"


@dataclass(frozen=True)
class GenerateConfig:
    """Where instructions come from, how the base answers them, and which answers are kept."""

    out: Path = option(Path("runs/generate"), "The run's folder.")
    seed: int = option(0, "Decides everything that is drawn.", at_least=0)
    source: Literal["templates", "model", "file"] = option(
        "templates", "Where instructions come from: templates, the base model itself, or a file."
    )
    templates: Path | None = option(
        None, "Templates in TOML or YAML; the embedded model's world if left out.", reads="file"
    )
    file: Path | None = option(
        None,
        "For `source = file`: JSON lines with `instruction` and what else is known of it.",
        reads="file",
    )
    count: int = option(
        0, "How many instructions: all of them for 0; a model needs a number.", at_least=0
    )
    style: Literal["completion", "format"] = option(
        "completion",
        "How the base is asked: a sentence to complete, or the instruction in `prompt`'s format.",
    )
    prompt: str = option(PROMPT, "The training prompt; {instruction} stands in it.")
    examples: int = option(
        3, "For `source = model`: how many known instructions each prompt shows.", at_least=1
    )
    samples: int = option(1, "Answers per instruction; more than one needs a temperature.", at_least=1)  # fmt: skip
    temperature: float = option(0.0, "0 is greedy.", at_least=0)
    top_p: float | None = option(None, "Cuts the distribution when sampling.", at_least=0, at_most=1)  # fmt: skip
    max_new_tokens: int = option(64, "Longest answer in tokens.", at_least=1)
    cut_at: tuple[str, ...] = option(
        ("\n",), "An answer ends before the first of these, or where the model stops."
    )
    critic: Literal["none", "logprob"] = option(
        "none", "`logprob`: keep an answer only if the base finds it likely, per token."
    )
    min_logprob: float = option(-1.5, "The critic's least mean log-probability per token.", at_most=0)  # fmt: skip
    placeholders: Literal["refuse", "keep"] = option(
        "refuse", "`keep` writes template placeholders for what failed, into a file of their own."
    )
    batch_size: int = option(64, "Prompts at a time.", at_least=1)
    engine: EngineName = option(
        "transformers", "What generates; `vllm` is given token ids that the guard made."
    )
    model: ModelConfig = section(ModelConfig)
    vllm: VllmConfig = section(VllmConfig)

    def __post_init__(self) -> None:
        if self.source == "file" and self.file is None:
            raise JobError('source = "file" needs `file`')
        if self.source == "model" and not self.count:
            raise JobError("count: a model never ends; say how many instructions it is to write")
        if self.source == "model" and self.style == "completion":
            raise JobError('style: what a model writes has no sentence to complete; use "format"')
        if self.samples > 1 and not self.temperature:
            raise JobError("samples: greedy answers to one prompt are the same; set temperature")
        if self.engine == "vllm" and self.critic != "none":
            raise JobError(
                'critic: it scores with transformers; with engine = "vllm" set critic = "none"'
            )
        refuse_with_vllm(self.engine, self.model, self.temperature, {})
        if "{instruction}" not in self.prompt:
            raise JobError("prompt: {instruction} is missing in it")


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "tiny": {
        **TINY_MODEL,
        "max_new_tokens": 20,
        "cut_at": ["."],
        "batch_size": 256,
    },
    "qwen2.5-32b": {
        **LARGE_MODEL,
        "critic": "logprob",
        "batch_size": 32,
    },
    "qwen2.5-32b-vllm": LARGE_VLLM,
}
