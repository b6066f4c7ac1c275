"""What is looked for in a file, and which files are the loader itself and may load raw."""

from __future__ import annotations

import os
from pathlib import Path

from cleanguard.catalogue import hazards
from cleanguard.settings.config import Settings, selected
from cleanguard.settings.per_file import ignored_in


def is_loader_module(path: Path, settings: Settings) -> bool:
    """Whether a file matches `loader-modules`, whose patterns are relative to the settings' root."""
    if not settings.loader_modules:
        return False
    from pathspec import GitIgnoreSpec

    root = os.path.realpath(settings.root)
    relative = os.path.relpath(os.path.realpath(path), root)
    return GitIgnoreSpec.from_lines(settings.loader_modules).match_file(relative)


def active_codes(path: Path, settings: Settings) -> frozenset[str]:
    """The codes that are looked for in a file."""
    codes = selected(settings) - ignored_in(path, settings)
    if is_loader_module(path, settings):
        codes -= {hazard.code for hazard in hazards.CATALOGUE if hazard.fix == "migrate"}
    return codes
