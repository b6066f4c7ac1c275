"""Fine-tunes a LoRA adapter on prompts and completions; loss on the completion and its EOS alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.sft.config import PRESETS, SftConfig

if TYPE_CHECKING:
    from stages.registry import Outcome

CONFIG = SftConfig

__all__ = ["CONFIG", "PRESETS", "SftConfig", "run"]


def run(config: SftConfig) -> Outcome:
    """Carry out the stage; see `stages.sft.steps`."""
    from stages.sft.steps import fine_tune

    return fine_tune(config)
