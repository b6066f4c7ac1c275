"""Tells models apart: the same items at several temperatures, sampled, paired and clustered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.differentiate.config import PRESETS, DifferentiateConfig

if TYPE_CHECKING:
    from stages.registry import Outcome

CONFIG = DifferentiateConfig

__all__ = ["CONFIG", "PRESETS", "DifferentiateConfig", "run"]


def run(config: DifferentiateConfig) -> Outcome:
    """Carry out the stage; see `stages.differentiate.steps`."""
    from stages.differentiate.steps import differentiate

    return differentiate(config)
