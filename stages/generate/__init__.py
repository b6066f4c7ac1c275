"""Makes fine-tuning data from a base model's own completions, with nothing else mixed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.generate.config import PRESETS, GenerateConfig

if TYPE_CHECKING:
    from stages.registry import Outcome

CONFIG = GenerateConfig

__all__ = ["CONFIG", "PRESETS", "GenerateConfig", "run"]


def run(config: GenerateConfig) -> Outcome:
    """Carry out the stage; see `stages.generate.steps`."""
    from stages.generate.steps import generate

    return generate(config)
