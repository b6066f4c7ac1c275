"""Trains an adapter on preference pairs, against the model that training begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.dpo.config import PRESETS, DpoConfig

if TYPE_CHECKING:
    from stages.registry import Outcome

CONFIG = DpoConfig

__all__ = ["CONFIG", "PRESETS", "DpoConfig", "run"]


def run(config: DpoConfig) -> Outcome:
    """Carry out the stage; see `stages.dpo.steps`."""
    from stages.dpo.steps import prefer

    return prefer(config)
