"""What stands beside a checked file and changes what its imports mean."""

from __future__ import annotations

from pathlib import Path

# Only a file that holds this word is asked about its neighbours.
TRIGGER = b"CleanModelLoader"


def stranger_beside(path: Path) -> str | None:
    """The file or folder beside `path` that Python imports as `guard` and is not our package."""
    folder = path.resolve().parent
    if (folder / "guard.py").is_file():
        return "guard.py"
    package = folder / "guard"
    if not package.is_dir() or (package / "loader.py").is_file():
        return None
    return "guard/" if any(package.glob("*.py")) else None
