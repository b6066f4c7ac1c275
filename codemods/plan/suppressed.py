"""What the configuration and comments keep quiet, so that nothing is rewritten for it either."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cleanguard.catalogue.hazards import CATALOGUE
from cleanguard.settings.config import Settings
from cleanguard.settings.suppressions import may_suppress, suppresses
from lint_rules._questions.exempt import active_codes

_REWRITTEN = frozenset(hazard.code for hazard in CATALOGUE if hazard.fix == "migrate")


def silence(
    filename: str, text: str, settings: Settings
) -> Callable[[str, Callable[[], tuple[int, int]]], bool]:
    """Whether a rewritten code is not reported between two rows of a file, the first and the last."""
    active = active_codes(Path(filename), settings)
    covered = None
    if may_suppress(text.encode("utf-8", "replace")):
        covered = suppresses(text, settings.require_suppression_reason)

    def silent(code: str, rows: Callable[[], tuple[int, int]]) -> bool:
        if code not in _REWRITTEN:
            return False
        return code not in active or (covered is not None and covered(code, *rows()))

    return silent
