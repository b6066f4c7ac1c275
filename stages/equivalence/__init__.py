"""Does the guarded path give what the old code gave? The same prompts both ways, token by token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.equivalence.config import PRESETS, EquivalenceConfig

if TYPE_CHECKING:
    from stages.registry import Outcome

CONFIG = EquivalenceConfig

__all__ = ["CONFIG", "PRESETS", "EquivalenceConfig", "run"]


def run(config: EquivalenceConfig) -> Outcome:
    """Carry out the stage; see `stages.equivalence.steps`."""
    from stages.equivalence.steps import equivalence

    return equivalence(config)
