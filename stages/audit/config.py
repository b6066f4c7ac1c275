"""The settings of `cleanguard run audit`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.config import option, section
from stages.models import ASKING_PRESETS, ModelConfig


@dataclass(frozen=True)
class AuditConfig:
    """What is asked of a base, and how much chat-like behaviour is too much."""

    out: Path = option(Path("runs/audit"), "The run's folder.")
    adapter: Path | None = option(
        None, "An adapter to audit on the base, such as one just trained.", reads="adapter"
    )
    quick: bool = option(False, "Four sentinels, printed, and no formats.")
    most_followed: float = option(
        0.1, "Share of bare requests that a clean base may answer rightly and then stop.",
        at_least=0, at_most=1,
    )  # fmt: skip
    most_stopped: float = option(
        0.9, "Share of texts after bare requests that may end by themselves before it is remarked.",
        at_least=0, at_most=1,
    )  # fmt: skip
    unclear_fails: bool = option(False, "Exit with 1 also where the evidence is unclear.")
    minimum: int = option(200, "Fewer sentinels than this are CG502.", at_least=1)
    max_new_tokens: int = option(48, "Longest answer in tokens.", at_least=1)
    batch_size: int = option(64, "Prompts at a time.", at_least=1)
    model: ModelConfig = section(ModelConfig)


PRESETS: Mapping[str, Mapping[str, Any]] = ASKING_PRESETS
