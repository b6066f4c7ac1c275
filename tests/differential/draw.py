"""Draws choices and keeps their names."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

_CALM = 0.3


class Draw:
    """A random stream whose choices are noted as tags `part=choice`.

    In one program of two the choices that are no part's first, its plain one, are rarer: where everything is odd,
    nothing is migrated.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.tags: list[str] = []
        self._share = _CALM if rng.random() < 0.5 else 1.0

    def pick(self, part: str, weights: Mapping[str, float]) -> str:
        """One of the names, by weight."""
        first = next(iter(weights))
        shares = [w if name == first else w * self._share for name, w in weights.items()]
        name = self.rng.choices(list(weights), shares)[0]
        self.tags.append(f"{part}={name}")
        return name

    def one(self, part: str, choices: Sequence[tuple[float, Any]], names: Sequence[str]) -> Any:
        """One of the values, by weight, noted by its name."""
        number = self.rng.choices(range(len(choices)), [weight for weight, _ in choices])[0]
        self.tags.append(f"{part}={names[number]}")
        return choices[number][1]

    def chance(self, part: str, share: float) -> bool:
        """Whether something happens; noted if it does."""
        happens = self.rng.random() < share * self._share
        if happens:
            self.tags.append(part)
        return happens
