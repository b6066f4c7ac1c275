"""Runs the stages in order on one base: from nothing to an evaluated adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.chain.config import PRESETS, ChainConfig

if TYPE_CHECKING:
    from stages.registry import Outcome

CONFIG = ChainConfig

__all__ = ["CONFIG", "PRESETS", "ChainConfig", "run"]


def run(config: ChainConfig) -> Outcome:
    """Carry out the stages; see `stages.chain.steps`."""
    from stages.chain.steps import run_all

    return run_all(config)
