"""What stands beside a checked file and changes what its imports mean."""

from __future__ import annotations

from pathlib import Path

# Only a file that holds this word is asked about its neighbours.
TRIGGER = b"CleanModelLoader"


def stranger_beside(path: Path) -> str | None:
    """The file or folder beside `path` that Python imports in place of a package of cleanguard."""
    folder = path.resolve().parent
    for name, ours in (("guard", "loader.py"), ("cleanguard", "version.py")):
        if (folder / f"{name}.py").is_file():
            return f"{name}.py"
        package = folder / name
        if package.is_dir() and not (package / ours).is_file() and any(package.glob("*.py")):
            return f"{name}/"
    return None
