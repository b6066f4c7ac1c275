"""Evaluates a base model and its adapters on one suite, paired, with intervals and a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.evaluate.config import PRESETS, EvaluateConfig

if TYPE_CHECKING:
    from stages.registry import Outcome

CONFIG = EvaluateConfig

__all__ = ["CONFIG", "PRESETS", "EvaluateConfig", "run"]


def run(config: EvaluateConfig) -> Outcome:
    """Carry out the stage; see `stages.evaluate.steps`."""
    from stages.evaluate.steps import evaluate

    return evaluate(config)
