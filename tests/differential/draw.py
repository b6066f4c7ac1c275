"""Draws choices and keeps their names."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any


class Draw:
    """A random stream whose choices are noted as tags `part=choice`."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.tags: list[str] = []

    def pick(self, part: str, weights: Mapping[str, float]) -> str:
        """One of the names, by weight."""
        name = self.rng.choices(list(weights), list(weights.values()))[0]
        self.tags.append(f"{part}={name}")
        return name

    def one(self, part: str, choices: Sequence[tuple[float, Any]], names: Sequence[str]) -> Any:
        """One of the values, by weight, noted by its name."""
        number = self.rng.choices(range(len(choices)), [weight for weight, _ in choices])[0]
        self.tags.append(f"{part}={names[number]}")
        return choices[number][1]

    def chance(self, part: str, share: float) -> bool:
        """Whether something happens; noted if it does."""
        happens = self.rng.random() < share
        if happens:
            self.tags.append(part)
        return happens
