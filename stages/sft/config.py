"""The settings of `cleanguard run sft`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.config import option, section
from stages.models import LARGE_MODEL, TINY_MODEL, ModelConfig
from stages.training.config import HoldoutConfig, LoraConfig, TrainConfig


@dataclass(frozen=True)
class SftConfig:
    """Which data, which adapter, how long."""

    data: Path = option(Path("runs/generate/dataset.jsonl"), "What `generate` wrote.", reads="file")
    out: Path = option(Path("runs/sft"), "The run's folder.")
    seed: int = option(
        0, "Decides the adapter's beginning and the order of rows.", at_least=0, at_most=2**32 - 1
    )
    model: ModelConfig = section(ModelConfig)
    lora: LoraConfig = section(LoraConfig)
    train: TrainConfig = section(TrainConfig)
    holdout: HoldoutConfig = section(HoldoutConfig)


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "tiny": {
        **TINY_MODEL,
        "train.steps": 60,
        "train.batch_size": 16,
        "train.learning_rate": 3e-3,
        "train.max_length": 128,
        "train.save_steps": 20,
        "train.log_steps": 20,
        "holdout.eval_share": 0.0,
        "holdout.against": ["tiny"],
        # Its facts are split by key, and the sentences about two of them differ in one short word.
        "holdout.near": "report",
    },
    "qwen2.5-32b": {
        **LARGE_MODEL,
        "model.quant": "nf4",
        "lora.dropout": 0.05,
        "train.accumulate": 4,
        "train.learning_rate": 1e-4,
        "train.optimizer": "paged_adamw_8bit",
        "train.gradient_checkpointing": True,
    },
}
