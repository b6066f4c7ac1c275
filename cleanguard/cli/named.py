"""Models by the names that every command knows."""

from __future__ import annotations

from pathlib import Path

from stages.models import TINY


def named_model(name: str) -> str | Path:
    """The embedded model's folder for `tiny`, as the stages have it; anything else as it is."""
    if name != TINY:
        return name
    from stages.tiny import model_path

    return model_path()
