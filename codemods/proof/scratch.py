"""A copy of a folder to run a script in, so that what the run writes touches nobody's results."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_MOST_FILES = 20_000
_LARGE = 4 << 20
# Never read by a script relative to its folder, and large.
_SKIPPED = frozenset({".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__"})


class ScratchError(Exception):
    """The folder cannot be copied; the message says why and what to do."""


def mirror(folder: Path, target: Path) -> None:
    """Copies a folder: small files as they are, large ones as links.

    Virtual environments, version control and hidden folders stay behind.

    Raises:
        ScratchError: It holds too many files, or cannot be read.
    """
    left = _MOST_FILES
    for place, names, files in os.walk(folder):
        names[:] = [name for name in names if not _is_skipped(Path(place, name))]
        here = target / Path(place).relative_to(folder)
        here.mkdir(parents=True, exist_ok=True)
        left -= len(files)
        if left < 0:
            raise ScratchError(
                f"{folder} holds more than {_MOST_FILES} files, too many to copy for a trial run; "
                "start `cleanguard migrate --prove` in a smaller folder"
            )
        for name in [*files, *(name for name in names if Path(place, name).is_symlink())]:
            _bring(Path(place, name), here / name)
        names[:] = [name for name in names if not Path(place, name).is_symlink()]


def _is_skipped(path: Path) -> bool:
    if path.is_symlink():
        return False
    hidden = path.name.startswith(".")
    return path.name in _SKIPPED or hidden or (path / "pyvenv.cfg").is_file()


def _bring(source: Path, target: Path) -> None:
    try:
        if source.is_symlink() or source.stat().st_size > _LARGE:
            target.symlink_to(source.resolve())
        elif source.is_file():  # no pipe, socket or device
            shutil.copy2(source, target)
    except FileNotFoundError:
        return  # gone meanwhile
    except OSError as error:
        raise ScratchError(f"{source} cannot be copied: {error.strerror or error}") from error
