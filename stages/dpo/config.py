"""The settings of `cleanguard run dpo`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cleanguard.errors import JobError
from stages.config import option, section
from stages.models import LARGE_MODEL, TINY_MODEL, ModelConfig
from stages.training.config import HoldoutConfig, LoraConfig, TrainConfig

# What trl's DPOTrainer knows; known here, so that a slip is told before anything is loaded.
LossName = Literal[
    "sigmoid", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard", "aot",
    "aot_unpaired", "apo_zero", "apo_down", "discopop", "sft", "sigmoid_norm",
]  # fmt: skip


@dataclass(frozen=True)
class DpoConfig:
    """Which pairs, from where training begins, and with what loss."""

    data: Path = option(
        Path("runs/preferences/pairs.jsonl"), "What `preferences` wrote.", reads="file"
    )
    init: Literal["sft", "base", "merged"] = option(
        "sft",
        "Train the sft adapter on, a new one on the base, or a new one on both merged; the reference is "
        "the same model.",
    )
    sft: Path = option(
        Path("runs/sft/adapter"), "The adapter for `init = sft` and `merged`.", reads="adapter"
    )
    out: Path = option(Path("runs/dpo"), "The run's folder.")
    seed: int = option(
        0,
        "Decides a new adapter's beginning and the order of pairs.",
        at_least=0,
        at_most=2**32 - 1,
    )
    beta: float = option(0.1, "How close the model is kept to the reference.", at_least=0)
    loss: tuple[LossName, ...] = option(
        ("sigmoid", "sft"), "Losses that are added, as trl names them; `sft` is that of the chosen."
    )
    loss_weights: tuple[float, ...] = option((), "Weight of each loss; all 1 if left out.")
    model: ModelConfig = section(ModelConfig)
    lora: LoraConfig = section(LoraConfig)
    train: TrainConfig = section(TrainConfig, learning_rate=5e-6)
    holdout: HoldoutConfig = section(HoldoutConfig, without=("eval_share",))

    @property
    def unread(self) -> frozenset[str]:
        """Settings that name something which is not read: a new adapter on the base begins from no other."""
        return frozenset({"sft"} if self.init == "base" else ())

    def __post_init__(self) -> None:
        if self.init == "merged" and self.model.quant != "none":
            raise JobError(
                "init: merging rounds the sft adapter into quantized weights; use init = sft, "
                "or model.quant = none"
            )
        if not self.loss:
            raise JobError("loss: name at least one")
        if self.loss_weights and len(self.loss_weights) != len(self.loss):
            raise JobError(
                f"loss_weights: {len(self.loss_weights)} weights for {len(self.loss)} losses"
            )


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "tiny": {
        **TINY_MODEL,
        "train.steps": 140,
        "train.batch_size": 16,
        "train.learning_rate": 1e-3,
        "train.max_length": 128,
        "train.save_steps": 20,
        "train.log_steps": 20,
        "holdout.against": ["tiny"],
        # Its facts are split by key, and the sentences about two of them differ in one short word.
        "holdout.near": "report",
    },
    "qwen2.5-32b": {
        **LARGE_MODEL,
        "model.quant": "nf4",
        "train.batch_size": 2,
        "train.accumulate": 8,
        "train.optimizer": "paged_adamw_8bit",
        "train.gradient_checkpointing": True,
    },
}
