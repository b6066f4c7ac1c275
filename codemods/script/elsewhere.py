"""Which names of a file other files take from it, as far as the run and the file's folder show them."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import TypeVar, cast

import libcst as cst

from cleanguard.files import SourceFile
from codemods.plan.contents import content_of
from codemods.plan.planned import LoadKey, Unguarded
from codemods.script.givers import NOTHING, Given, Givers
from codemods.script.handing import (
    MAKES,
    Generating,
    dotted_parts,
    imported_modules,
    imported_words,
    imports_from,
    part_of,
    renamed,
    root_of,
    words_in,
)
from lint_rules._flow.analysis import Flow
from lint_rules._run.others import OtherFiles

T = TypeVar("T")

_MOST_NEIGHBOURS, _MOST_BYTES = 500, 4 << 20
# Loads and generations, those that are watched too.
_LOADS = re.compile(rb"from_pretrained|load_watched")
_GENERATES = re.compile(rb"generate(_watched)?\(")
# Libraries that a folder of the run elsewhere may be named like.
_LIBRARIES = frozenset("datasets torch transformers numpy evaluate tqdm peft accelerate pandas tokenizers".split())  # noqa: SIM905  # fmt: skip


class Elsewhere:
    """The other files of a run, read when first asked.

    Args:
        files: All files of the run, the asked ones among them.
        seen: The same files as `check` sees them; None leaves the values of other files unfollowed.

    Attributes:
        alone: Whether a file is planned by itself.
        held: Loads that must stay for another file's sake, with the reason.
        left: Loads that stay, with the reason.
        lacks_bos: Loads whose models score rows in other files that may not begin with BOS.
        unguarded: The model loads of other files that are not guarded.
    """

    def __init__(self, files: Iterable[SourceFile] = (), seen: OtherFiles | None = None) -> None:
        self._files = [file.path for file in files]
        self._seen = seen
        self.alone = len(self._files) < 2
        self._served: dict[Path, bool] = {}
        self._taken: dict[Path, list[Path]] = {}
        self.held: dict[LoadKey, str] = {}
        self.left: dict[LoadKey, str] = {}
        self.lacks_bos: set[LoadKey] = set()
        self.unguarded: set[Unguarded] = set()
        self._wholes: dict[Path, str] = {}
        self._texts: dict[Path, str] = {}
        self._trees: dict[Path, ast.Module | None] = {}
        self._read: dict[tuple[Path, Callable[[ast.Module], object]], object] = {}
        self._folders: dict[Path, list[Path]] = {}
        self._imported: dict[Path, frozenset[str]] = {}
        self._stems: dict[Path, frozenset[str]] = {}
        self._said: dict[Path, set[str]] = {}
        self._givings: dict[Path, list[Path]] = {}

    def flow(self, path: Path, module: cst.Module) -> Flow | None:
        """The flow of a file with what it imports from the run and is given; None for one that is not of it."""
        if self._seen is None or not self.is_ours(path):
            return None
        given = self.given(path)
        project = self._seen.project()
        return project.exact_flow(path.resolve(), module, given.at(module), given.flows)

    def is_ours(self, path: Path) -> bool:
        """Whether a file is one of several scripts of the run, between which models are followed."""
        if path.suffix == ".ipynb":
            return False
        return self._seen is not None and len(self._files) > 1 and path.resolve() in self._real

    def may_link(self, path: Path, raw: bytes) -> bool:
        """Whether a file may use another one's loads, or load for another one; from words alone."""
        if not self.is_ours(path):
            return False
        if _LOADS.search(raw) or not self._carriers.isdisjoint(imported_words(raw)):
            return True
        return _GENERATES.search(raw) is not None and self.is_given(path)

    @cached_property
    def givers(self) -> Givers | None:
        """Who gives models to whom; None where there is nobody."""
        if self._seen is None or len(self._files) < 2:
            return None
        return Givers(self._seen.project(), self._giving)

    def given(self, path: Path) -> Given:
        """What other files give the functions of one that generates."""
        if self.givers is None or not self.is_given(path):
            return NOTHING
        return self.givers.given(path.resolve())

    def _giving(self, path: Path) -> list[Path]:
        """The files that import a file that generates, say what of it does, and may have a model."""
        if path not in self._givings:
            wanted = self.stems(path)
            tree = self.parsed(path) if _GENERATES.search(content_of(path)) else None
            does = None if tree is None else Generating(self.text(path), tree)
            known = self._importers if does is not None else {}
            likely = {other for stem in wanted for other in known.get(stem, ())}
            self._givings[path] = [
                real
                for other in sorted(likely)
                if other.suffix == ".py"
                and (real := other.resolve()) != path
                and self._may_give(other, does)
            ]
        return self._givings[path]

    @cached_property
    def _importers(self) -> dict[str, list[Path]]:
        """The files of the run by the names in their import statements."""
        found: dict[str, list[Path]] = {}
        for path in self._run:
            for word in self.imported_words(path):
                found.setdefault(word, []).append(path)
        return found

    def importers(self, path: Path) -> list[Path]:
        """The other files of the run that may import one."""
        stems = self.stems(path)
        found = {one for stem in stems for one in self._importers.get(stem, ())} - {path}
        own = {path, *(f for f in self._run if f.stem == "__init__" and _stem(f) in stems)}
        return sorted(other for other in found if not own.isdisjoint(self.imported(other)))

    def _may_give(self, path: Path, does: Generating | None) -> bool:
        """Whether a file may give a model to what of another one generates."""
        text = self.text(path)
        if does is None or not does.is_said_in(self._words(path), self._renamed):
            return False
        if MAKES.search(text) or not self._carriers.isdisjoint(self.imported_words(path)):
            return True
        stems = self.stems(path)  # it may be given one itself
        return any(one != path for stem in stems for one in self._importers.get(stem, ()))

    def _words(self, path: Path) -> set[str]:
        if path not in self._said:
            self._said[path] = words_in(self.text(path))
        return self._said[path]

    @cached_property
    def _renamed(self) -> frozenset[tuple[str, str]]:
        """What packages import under another name, and that name."""
        packages = [path for path in self._run if path.stem == "__init__"]
        return frozenset(pair for path in packages for pair in renamed(self.text(path)))

    def near(self, path: Path) -> list[Path]:
        """The files of the run that a file imports, and those that may import it."""
        return [*self.imported(path), *(self.importers(path) if self.serves(path) else ())]

    def is_given(self, path: Path) -> bool:
        """Whether another file of the run may give a model to what a file generates with."""
        if path not in self._givings and not self.is_ours(path):
            return False
        return bool(self._giving(path if path in self._givings else path.resolve()))

    def stems(self, path: Path) -> frozenset[str]:
        """The last names under which a file's own names are imported: its own, and those of who hands them on."""
        if path in self._stems:
            return self._stems[path]
        found = {_stem(path)}
        packages = [other for other in self._run if other.stem == "__init__"]
        grown = True
        while grown:
            more = {_stem(f) for f in packages if not found.isdisjoint(self.imported_words(f))}
            grown = not more <= found
            found |= more
        self._stems[path] = frozenset(found)
        return self._stems[path]

    def imported_words(self, path: Path) -> frozenset[str]:
        """The names in a file's import statements."""
        if path not in self._imported:
            self._imported[path] = frozenset(imported_words(self.text(path).encode()))
        return self._imported[path]

    @cached_property
    def _carriers(self) -> frozenset[str]:
        """The last names of the modules that load, and of the packages that import those."""
        texts = {path: content_of(path) for path in self._run}
        found = {_stem(path) for path, raw in texts.items() if _LOADS.search(raw)}
        packages = [path for path in texts if path.stem == "__init__"]
        for path in sorted(packages, key=lambda package: -len(package.parts)):
            if not found.isdisjoint(imported_words(texts[path])):
                found.add(_stem(path))
        return frozenset(found)

    def mentions(
        self, path: Path, module: str, words: re.Pattern[str], *, within: str | None = None
    ) -> bool:
        """Whether a file of the run that a module's name may mean says one of some words.

        Args:
            path: Who asks.
            module: The module's name.
            words: What is looked for.
            within: Look into this function of it alone, if it defines one of that name.
        """
        return any(
            other != path.absolute() and words.search(part_of(self.text(other), within))
            for other in self.modules(path, module)
        )

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
        return _stem(path)

    def text(self, path: Path) -> str:
        """The text of a file of the run."""
        if path not in self._wholes:
            self._wholes[path] = content_of(path).decode("utf-8", errors="replace")
        return self._wholes[path]

    def takes(self, path: Path, name: str) -> bool:
        """Whether another file imports a module-level name of a file, or the module and names it."""
        stem = _stem(path)
        word = re.compile(rf"\b{re.escape(name)}\b")
        return any(
            word.search(text) and imports_from(text, stem, name)
            for other in self.beside(path)
            if stem in (text := self._text(other)) and name in text
        )

    def serves(self, path: Path) -> bool:
        """Whether another file imports from a file, or the file."""
        own = path.absolute()
        if own not in self._served:
            word = re.compile(rf"\b(from|import)\s[^\n]*\b{re.escape(_stem(path))}\b")
            near = set(self._neighbours(own.parent)) - {own, *self._run}
            found = (word.search(self._text(one)) for one in near)
            self._served[own] = bool(self.importers(own)) or any(found)
        return self._served[own]

    def beside(self, path: Path) -> list[Path]:
        """The other files of the run, and of the file's folder."""
        own = path.absolute()
        every = [*self._run, *self._neighbours(own.parent)]
        return [other for other in dict.fromkeys(every) if other != own]

    @cached_property
    def _real(self) -> frozenset[Path]:
        return frozenset(file.resolve() for file in self._files)

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
        if path not in self._texts:
            try:
                large = path.stat().st_size > _MOST_BYTES
                text = "" if large else content_of(path).decode("utf-8", errors="replace")
            except OSError:
                text = ""
            self._texts[path] = text if "import" in text else ""
        return self._texts[path]


def _stem(path: Path) -> str:
    return path.parent.name if path.stem == "__init__" else path.stem
