"""What lists of dependencies lack for rewritten files: cleanguard, and a transformers that it runs with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_LISTS = (
    "requirements*.txt",
    "requirements/*.txt",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "environment*.y*ml",
    "Pipfile",
)
# Farther up nobody looks for the list of a script.
_MOST_FOLDERS = 8
_NAMED = re.compile(r"^[^#\n]*?(?<![\w./-])transformers(?![\w./-])(?P<rest>[^#\n]*)", re.MULTILINE)
# Releases before 5, as pip, conda and poetry write it: the newest that is asked for is an old one.
_OLD = re.compile(
    r"(==|~=|<=|\^|~|(?<![<>=!~])=)\s*[\"']?\s*[\^~]?v?[0-4](?![\d])|<\s*(5(\.0)*(?![\d.])|[0-4]\b)"
)


def unmet(files: Iterable[Path], root: Path) -> Iterator[str]:
    """What is to be changed in the lists of dependencies of rewritten files, list by list.

    Args:
        files: The files that import cleanguard now.
        root: The folder above which no list is looked for, where the files stand in it.
    """
    root = root.resolve()
    lists: dict[Path, str] = {}
    for folder in {file.resolve().parent for file in files}:
        lists |= _lists_of(folder, root)
    for path, text in sorted(lists.items()):
        old = next((one for one in _NAMED.finditer(text) if _OLD.search(one["rest"])), None)
        name = path.relative_to(root) if path.is_relative_to(root) else path
        if old is not None:
            line = text.count("\n", 0, old.start("rest")) + 1
            yield f"{name}:{line} asks for a transformers that is older than cleanguard needs: 5.0"
        if "cleanguard" not in text:
            yield f"{name} does not name cleanguard, which the rewritten files import: add `cleanguard[guard]`"


def _lists_of(start: Path, root: Path) -> dict[Path, str]:
    """The lists that name transformers in the nearest folder at or above one that has any, with their texts."""
    for folder in [start, *start.parents][:_MOST_FOLDERS]:
        texts = {path: _text(path) for pattern in _LISTS for path in folder.glob(pattern)}
        found = {path: text for path, text in texts.items() if _NAMED.search(text)}
        if found:
            return found
        if folder == root or (folder / ".git").exists():
            break
    return {}


def _text(path: Path) -> str:
    """What stands in a file; nothing where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
