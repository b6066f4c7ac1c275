"""The files of a run and those beside them: their texts, trees and imports, each read once."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import TypeVar, cast

from cleanguard.files import SourceFile
from codemods.others.handing import dotted_parts, imported_modules, imported_words, root_of
from codemods.plan.bare import bare_text
from codemods.plan.contents import content_of

T = TypeVar("T")

_MOST_NEIGHBOURS, _MOST_BYTES = 500, 4 << 20
_MOST_ABOVE = 3
# What lies where a project begins.
_PROJECT = (".git", "pyproject.toml", "setup.py", "setup.cfg", "requirements.txt")
# Libraries that a folder of the run elsewhere may be named like.
_LIBRARIES = frozenset("datasets torch transformers numpy evaluate tqdm peft accelerate pandas tokenizers".split())  # noqa: SIM905  # fmt: skip


class RunFiles:
    """The files of a run, read when first asked.

    Args:
        files: All of them.

    Attributes:
        alone: Whether a file is planned by itself.
    """

    def __init__(self, files: Iterable[SourceFile] = ()) -> None:
        self._files = [file.path for file in files]
        self.alone = len(self._files) < 2
        self._taken: dict[Path, list[Path]] = {}
        self._wholes: dict[Path, str] = {}
        self._large: dict[Path, bool] = {}
        self._trees: dict[Path, ast.Module | None] = {}
        self._read: dict[tuple[Path, Callable[[ast.Module], object]], object] = {}
        self._folders: dict[Path, list[Path]] = {}
        self._imported: dict[Path, frozenset[str]] = {}

    def modules(self, path: Path, module: str) -> list[Path]:
        """The files of the run that a module's name may mean where a file imports it."""
        level = len(module) - len(module.lstrip("."))
        parts = [part for part in module[level:].split(".") if part]
        if level:
            folder = path.absolute().parents[min(level, len(path.absolute().parents)) - 1]
            ways = {folder.joinpath(*parts, "__init__.py")}
            ways |= {folder.joinpath(*parts).with_suffix(".py")} if parts else set()
            return [other for other in self._run if other in ways]
        if not parts or self.alone:
            return []
        ending = [
            other
            for other, own in self._run_by_last.get(parts[-1], ())
            if own[-len(parts) :] == parts
        ]
        above = [other for other in ending if root_of(other, parts) in path.absolute().parents]
        return above or ([] if parts[0] in _LIBRARIES else ending)

    def imported(self, path: Path) -> list[Path]:
        """The files of the run that a file may import, each once."""
        if path not in self._taken:
            named = imported_modules(self.text(path))
            self._taken[path] = list(dict.fromkeys(f for n in named for f in self.modules(path, n)))
        return self._taken[path]

    def imported_words(self, path: Path) -> frozenset[str]:
        """The names in a file's import statements."""
        if path not in self._imported:
            self._imported[path] = frozenset(imported_words(self.text(path).encode()))
        return self._imported[path]

    def packages(self, name: str) -> list[Path]:
        """The folders of the run that hold a package of this name."""
        every = self._run_by_last.get(name, ())
        return [one.parent.parent for one, _ in every if one.stem == "__init__"]

    def parsed(self, path: Path) -> ast.Module | None:
        """The tree of a file of the run, parsed once; None where it is no Python."""
        if path not in self._trees:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    self._trees[path] = ast.parse(self.text(path))
            except (SyntaxError, ValueError, RecursionError):
                self._trees[path] = None
        return self._trees[path]

    def once(self, path: Path, read: Callable[[ast.Module], T]) -> T | None:
        """What is read out of the tree of a file of the run, once for all who ask; None where it has none."""
        tree = self.parsed(path)
        if (path, read) not in self._read:
            self._read[path, read] = None if tree is None else read(tree)
        return cast("T | None", self._read[path, read])

    def stem(self, path: Path) -> str:
        """The last part of the name that a file is imported by."""
        return stem_of(path)

    def text(self, path: Path) -> str:
        """The text of a file of the run."""
        if path not in self._wholes:
            self._wholes[path] = content_of(path).decode("utf-8", errors="replace")
        return self._wholes[path]

    def bare(self, path: Path) -> str:
        """The text of a file of the run, with blanks for its comments."""
        return bare_text(path, self.text(path))

    def beside(self, path: Path) -> list[Path]:
        """The other files of the run, and of the file's folder."""
        own = path.absolute()
        every = [*self._run, *(f for folder in _folders(own) for f in self._neighbours(folder))]
        return [other for other in dict.fromkeys(every) if other != own]

    @cached_property
    def _run(self) -> list[Path]:
        return [file.absolute() for file in self._files]

    @cached_property
    def _run_by_last(self) -> dict[str, list[tuple[Path, list[str]]]]:
        """The files of the run, with the parts of their dotted names, by the last part."""
        found: dict[str, list[tuple[Path, list[str]]]] = {}
        for path in self._run:
            parts = dotted_parts(path)
            found.setdefault(parts[-1] if parts else "", []).append((path, parts))
        return found

    def _neighbours(self, folder: Path) -> list[Path]:
        if folder not in self._folders:
            try:
                entries = sorted(folder.iterdir())[:_MOST_NEIGHBOURS]
            except OSError:
                entries = []
            found = (one for one in entries if one.suffix in (".py", ".ipynb"))
            self._folders[folder] = [one for one in found if one.is_file()]
        return self._folders[folder]

    def _text(self, path: Path) -> str:
        """The text of a file of the run or beside it; none of a large one."""
        if path not in self._large:
            try:
                self._large[path] = path.stat().st_size > _MOST_BYTES
            except OSError:
                self._large[path] = True
        return "" if self._large[path] else self.text(path)


def _folders(path: Path) -> list[Path]:
    """The folder of a file, and those above it that are of the same project, out of which its package is imported."""
    found = [path.parent]
    while len(found) <= _MOST_ABOVE:
        above = found[-1].parent
        inner = (found[-1] / "__init__.py").is_file()
        if above == found[-1] or not (inner or any((above / one).exists() for one in _PROJECT)):
            break
        found.append(above)
    return found


def stem_of(path: Path) -> str:
    """The last part of the name that a file is imported by."""
    return path.parent.name if path.stem == "__init__" else path.stem
