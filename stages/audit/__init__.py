"""Is this base model clean? Sentinels, formats and behaviour, with figures and an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.audit.config import PRESETS, AuditConfig

if TYPE_CHECKING:
    from stages.registry import Outcome

CONFIG = AuditConfig

__all__ = ["CONFIG", "PRESETS", "AuditConfig", "run"]


def run(config: AuditConfig) -> Outcome:
    """Carry out the stage; see `stages.audit.steps`."""
    from stages.audit.steps import audit

    return audit(config)
