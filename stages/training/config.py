"""Settings that every training stage has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cleanguard.errors import JobError
from stages.config import option


@dataclass(frozen=True)
class LoraConfig:
    """The low-rank adapter."""

    r: int = option(16, "Rank.", at_least=1)
    alpha: int = option(32, "Scale; the update counts alpha / r.", at_least=1)
    dropout: float = option(0.0, "Dropout on the adapter's input.", at_least=0, at_most=0.9)
    targets: tuple[str, ...] = option(
        ("all-linear",), "Names of the layers; `all-linear` is every linear one but the head."
    )

    def __post_init__(self) -> None:
        if "lm_head" in self.targets or "embed_tokens" in self.targets:
            raise JobError("lora.targets: an adapter on the head or the embedding is not supported")
        if not self.targets:
            raise JobError("lora.targets: name at least one layer, or all-linear")


@dataclass(frozen=True)
class TrainConfig:
    """How long, how fast, and what is kept on the way."""

    epochs: float = option(2.0, "How often the data is seen; `steps` wins.", at_least=0)
    steps: int = option(0, "Optimizer steps; 0 goes by `epochs`.", at_least=0)
    batch_size: int = option(8, "Rows per device and step.", at_least=1)
    accumulate: int = option(1, "Batches per optimizer step.", at_least=1)
    learning_rate: float = option(2e-4, "Peak of the schedule.", at_least=0)
    schedule: Literal["cosine", "linear", "constant", "constant_with_warmup"] = option(
        "cosine", "How the learning rate falls."
    )
    warmup_steps: int = option(5, "Steps until the peak.", at_least=0)
    weight_decay: float = option(0.0, "Decoupled weight decay.", at_least=0)
    max_grad_norm: float = option(1.0, "Gradients are clipped to this norm.", at_least=0)
    max_length: int = option(1024, "Most tokens of prompt and completion; nothing is cut.", at_least=2)  # fmt: skip
    overlong: Literal["refuse", "drop"] = option("refuse", "What becomes of rows beyond max_length.")  # fmt: skip
    optimizer: str = option("adamw_torch", "As transformers names it; paged_adamw_8bit saves memory.")  # fmt: skip
    gradient_checkpointing: bool = option(False, "Trade time for memory.")
    save_steps: int = option(50, "Steps between checkpoints; 0 keeps none.", at_least=0)
    keep_checkpoints: int = option(3, "How many of the last checkpoints stay.", at_least=2)
    log_steps: int = option(10, "Steps between lines of metrics.", at_least=1)
    report_to: tuple[str, ...] = option((), "Where metrics go as well: wandb, tensorboard, ….")
    deepspeed: Path | None = option(None, "A DeepSpeed configuration, under torchrun.")
    deterministic: bool = option(
        False, "Kernels that give the same bits each time; slower, and told where one has none."
    )

    def __post_init__(self) -> None:
        if not self.steps and not self.epochs:
            raise JobError("train.steps: neither steps nor epochs are given")
        if not self.learning_rate:
            raise JobError("train.learning_rate: 0 trains nothing; say more")


@dataclass(frozen=True)
class HoldoutConfig:
    """What the training data must not contain, and what is held out of it."""

    eval_share: float = option(0.1, "Share of the groups held out of training.", at_least=0, at_most=0.5)  # fmt: skip
    against: tuple[str, ...] = option(
        (), "Evaluation items that must not be in the data: JSON lines, or `tiny` for the world's."
    )
    near: Literal["off", "report", "refuse"] = option(
        "refuse", "What becomes of near duplicates of evaluation items; needs datasketch."
    )
    similarity: float = option(0.8, "Jaccard similarity that makes texts near.", at_least=0.3, at_most=1)  # fmt: skip
