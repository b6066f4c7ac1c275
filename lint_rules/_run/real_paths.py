"""Paths without symbolic links, for many files of few folders."""

from __future__ import annotations

import os
from pathlib import Path


class RealPaths:
    """Remembers what each folder really is, which is nearly all of the work."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def of(self, path: str | Path) -> str:
        """`os.path.realpath` of a file."""
        folder, name = os.path.split(path)
        real = self._folders.get(folder)
        if real is None:
            real = self._folders[folder] = os.path.realpath(folder)
        found = os.path.join(real, name)
        return os.path.realpath(found) if os.path.islink(found) else found
