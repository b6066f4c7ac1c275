"""The files around a script: those that it imports, that import it, and what runs with them."""

from __future__ import annotations

from pathlib import Path

from codemods.script.closures import imports_of
from codemods.script.script import Script

# How many files are looked through that run with a script.
_MOST_FILES = 60


def _near(script: Script) -> list[Path]:
    """The files that a script imports, those that import it, and what these import."""
    others = script.others
    found = {
        path for name in imports_of(script).modules for path in others.modules(script.path, name)
    }
    if others.serves(script.path):
        for path in others.importers(script.path):
            found.add(path)
            found.update(others.imported(path))
    return sorted(found - {script.path, script.path.absolute()})


def texts_around(script: Script) -> list[tuple[str, str]]:
    """The files around a script, by name: those that it imports, that import it, and what these import."""
    return [(path.name, script.others.text(path)) for path in script.once(_near)]


def texts_run_with(script: Script) -> list[tuple[str, str]]:
    """The files around a script, and all that those import in their turn: they run with it."""
    found = [*script.once(_near)]
    for path in found:
        if len(found) < _MOST_FILES:
            found += [one for one in script.others.imported(path) if one not in found]
    return [(path.name, script.others.text(path)) for path in found if path != script.path]
