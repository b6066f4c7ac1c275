"""Makes preference pairs out of a model's own samples: judged, finished, with a margin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.preferences.config import PRESETS, PreferencesConfig

if TYPE_CHECKING:
    from stages.registry import Outcome

CONFIG = PreferencesConfig

__all__ = ["CONFIG", "PRESETS", "PreferencesConfig", "run"]


def run(config: PreferencesConfig) -> Outcome:
    """Carry out the stage; see `stages.preferences.steps`."""
    from stages.preferences.steps import make_pairs

    return make_pairs(config)
