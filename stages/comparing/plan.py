"""What is fixed before results are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Correction = Literal["none", "holm", "benjamini-hochberg"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is fixed before results are looked at.

    Attributes:
        alpha: Two-sided level.
        power: For the minimal detectable effect.
        regressions: Share of items assumed to get worse; a larger observed share replaces it.
        minimum: Items below which CG502 is said.
        confidence: Of the intervals.
        resamples, seed: Of the bootstrap.
    """

    alpha: float = 0.05
    power: float = 0.8
    regressions: float = 0.05
    minimum: int = 200
    confidence: float = 0.95
    resamples: int = 10_000
    seed: int = 0
