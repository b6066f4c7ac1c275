"""The plans of several files that stand together in a folder."""

from __future__ import annotations

from pathlib import Path

from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from codemods.migration import Migration
from codemods.planning import Planner, Unread


def planned(folder: Path, texts: dict[str, str]) -> dict[str, Migration]:
    """The plan of each file, by the name that it was given."""
    files = []
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
        files.append(SourceFile(str(path), path))
    found = Planner(files, Settings()).plans()
    assert not any(isinstance(one, Unread) for one in found)
    return {name: one for name, one in zip(texts, found, strict=True) if isinstance(one, Migration)}
