"""Which names of a file other files take from it, as far as the run and the file's folder show them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

import libcst as cst

from cleanguard.files import SourceFile
from codemods.others.by_text import only_reads, takes_by_text
from codemods.others.givers import NOTHING, Given, Givers
from codemods.others.handing import (
    MAKES,
    Generating,
    imported_words,
    imports_from,
    part_of,
    renamed,
    words_in,
)
from codemods.others.run_files import RunFiles, stem_of
from codemods.plan.bare import bare_text
from codemods.plan.contents import content_of
from codemods.plan.planned import LoadKey, Unguarded
from lint_rules._flow.analysis import Flow
from lint_rules._run.others import OtherFiles

# Loads and generations, those that are watched too.
_LOADS = re.compile(rb"from_pretrained|load_watched")
_GENERATES = re.compile(rb"generate(_watched)?\(")


class Elsewhere(RunFiles):
    """The other files of a run, and what of them bears on a file.

    Args:
        files: All files of the run, the asked ones among them.
        seen: The same files as `check` sees them; None leaves the values of other files unfollowed.

    Attributes:
        held: Loads that must stay for another file's sake, with the reason.
        left: Loads that stay, with the reason.
        lacks_bos: Loads whose models score rows in other files that may not begin with BOS.
        unguarded: The model loads of other files that are not guarded.
    """

    def __init__(self, files: Iterable[SourceFile] = (), seen: OtherFiles | None = None) -> None:
        super().__init__(files)
        self._seen = seen
        self.held: dict[LoadKey, str] = {}
        self.left: dict[LoadKey, str] = {}
        self.lacks_bos: set[LoadKey] = set()
        self.unguarded: set[Unguarded] = set()
        self._served: dict[Path, bool] = {}
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
        own = {path, *(f for f in self._run if f.stem == "__init__" and stem_of(f) in stems)}
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
        found = {stem_of(path)}
        packages = [other for other in self._run if other.stem == "__init__"]
        grown = True
        while grown:
            more = {stem_of(f) for f in packages if not found.isdisjoint(self.imported_words(f))}
            grown = not more <= found
            found |= more
        self._stems[path] = frozenset(found)
        return self._stems[path]

    @cached_property
    def _carriers(self) -> frozenset[str]:
        """The last names of the modules that load, and of the packages that import those."""
        texts = {path: content_of(path) for path in self._run}
        found = {stem_of(path) for path, raw in texts.items() if _LOADS.search(raw)}
        packages = [path for path in texts if path.stem == "__init__"]
        for path in sorted(packages, key=lambda package: -len(package.parts)):
            if not found.isdisjoint(imported_words(texts[path])):
                found.add(stem_of(path))
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

    def takes(self, path: Path, name: str) -> bool:
        """Whether another file takes a module-level name of a file, by an import or by its text."""
        return next(self._taking(path, name), None) is not None

    def may_change(self, path: Path, name: str) -> str | None:
        """The text of another file that takes a config of a file, and may do more than read it; None for none."""
        return next((t for t in self._taking(path, name) if not only_reads(t, name)), None)

    def _taking(self, path: Path, name: str) -> Iterator[str]:
        """The bare texts of the files that take a name."""
        stem = stem_of(path)
        word = re.compile(rf"\b{re.escape(name)}\b")
        for other in self.beside(path):
            text = self._text(other)
            if stem not in text:
                continue
            bare = bare_text(other, text)
            imports = name in bare and word.search(bare) and imports_from(bare, stem, name)
            if imports or takes_by_text(bare, stem, name):
                yield bare

    def serves(self, path: Path) -> bool:
        """Whether another file imports from a file, or the file."""
        own = path.absolute()
        if own not in self._served:
            stem = stem_of(path)
            word = re.compile(rf"\b(from|import)\s[^\n]*\b{re.escape(stem)}\b")
            near = set(self._neighbours(own.parent)) - {own, *self._run}
            texts = (self._text(one) for one in near)
            found = (stem in text and word.search(text) for text in texts)
            self._served[own] = bool(self.importers(own)) or any(found)
        return self._served[own]

    @cached_property
    def _real(self) -> frozenset[Path]:
        return frozenset(file.resolve() for file in self._files)
