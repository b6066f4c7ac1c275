"""Which files are the loader itself and may load raw."""

from __future__ import annotations

import os
from pathlib import Path

from cleanguard.config import Settings


def is_loader_module(path: Path, settings: Settings) -> bool:
    """Whether a file matches `loader-modules`, whose patterns are relative to the settings' root."""
    if not settings.loader_modules:
        return False
    from pathspec import GitIgnoreSpec

    root = os.path.realpath(settings.root)
    relative = os.path.relpath(os.path.realpath(path), root)
    return GitIgnoreSpec.from_lines(settings.loader_modules).match_file(relative)
