"""Finds the Python files that a run looks at.

A file that is named is always taken, whatever it is called and whatever would leave it out. A folder
that is named is walked: `.py` and `.pyi`, without the built-in folders, without what .gitignore files
and the configuration leave out. Folders behind symbolic links are not entered (so no loops); name
them to check them.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from cleanguard.editing.read import read_file
from cleanguard.errors import JobError
from cleanguard.settings.ignores import BUILT_IN, Patterns, gitignore_of, gitignores_above

SUFFIXES = (".py", ".pyi")
NOTEBOOKS = (".ipynb",)
_NAME = attrgetter("name")


class FilesError(JobError):
    """A path cannot be looked at; the message names it and the remedy."""


class UnlistedFolderError(OSError):
    """A folder of the run cannot be listed, so that what is in it cannot be looked at."""


class RefusedFolderError(Exception):
    """A folder whose own configuration cannot be used; who refuses it keeps the reason."""


@dataclass(frozen=True, slots=True)
class FolderRules:
    """What a folder's own configuration leaves out: gitignore-style patterns, relative to `root`."""

    exclude: tuple[str, ...]
    root: str


Enter = Callable[[str], FolderRules | None]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a walk gives: the ends of names, and who is asked about folders."""

    suffixes: tuple[str, ...]
    enter: Enter | None = None
    gitignore: bool = True


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a run.

    Attributes:
        name: The path as the user would write it: relative if it was given so.
        place: Where to read it; thousands are only looked at, and a `Path` takes longer than that.
        content: Its bytes, where they come from elsewhere (standard input).
        unlisted: It is a folder that cannot be listed, and stands for the files in it: the system's reason.
    """

    name: str
    place: Path | str
    content: bytes | None = None
    unlisted: str | None = None

    @property
    def path(self) -> Path:
        """Where to read it."""
        return Path(self.place)

    @property
    def kind(self) -> str:
        """What it is called where it cannot be read."""
        return "file" if self.unlisted is None else "folder"

    def read(self) -> bytes:
        """The file's bytes.

        Raises:
            OSError: It cannot be read, or is a pipe or a device by now.
            UnlistedFolderError: It is a folder that cannot be listed.
        """
        if self.unlisted is not None:
            raise UnlistedFolderError(errno.EACCES, self.unlisted, str(self.place))
        return read_file(self.place) if self.content is None else self.content


def discover(
    paths: Sequence[str],
    exclude: Iterable[str] = (),
    root: Path | None = None,
    *,
    force_exclude: bool = False,
    suffixes: tuple[str, ...] = SUFFIXES,
    enter: Enter | None = None,
    gitignore: bool = True,
) -> tuple[SourceFile, ...]:
    """The files that `paths` stand for, each once, sorted by name.

    A folder that cannot be listed is among them, in the place of the files in it.

    Args:
        paths: Files and folders as the user wrote them.
        exclude: gitignore-style patterns of what to leave out of folders.
        root: The folder that `exclude` is relative to; the current one if None.
        force_exclude: Leave out named files and folders as well.
        suffixes: Of the files that count in folders.
        enter: Asked in each folder with a pyproject.toml: the patterns and the root that hold from
            there on, None if it changes nothing; a folder that it refuses is left out.
        gitignore: Leave out what .gitignore files say.

    Raises:
        FilesError: A path does not exist or is no file. Files that cannot be read, and folders that
            cannot be listed, are found when they are read.
    """
    patterns = tuple(exclude)
    found: dict[str, SourceFile] = {}
    for given in paths:
        if force_exclude and is_excluded(given, patterns, os.path.abspath(root or "")):
            continue
        if os.path.isdir(given):
            candidates = _walk_named(
                given, patterns, os.path.abspath(root or ""), _Wanted(suffixes, enter, gitignore)
            )
        elif os.path.isfile(given):
            candidates = iter([(os.path.realpath(given), SourceFile(given, given))])
        elif os.path.exists(given):  # reading it may wait for ever, and works once
            raise FilesError(f"{given}: a pipe or a device and no file; read it through `-`")
        else:
            raise FilesError(f"{given}: no such file or folder; check the spelling")
        for identity, file in candidates:
            found.setdefault(identity, file)
    return tuple(sorted(found.values(), key=lambda file: file.name))


def is_excluded(given: str, exclude: Sequence[str], root: str) -> bool:
    """Whether a path lies in a built-in folder, or matches the patterns, seen from `root`."""
    path = os.path.abspath(given)
    below = os.path.relpath(path, root).split(os.sep)
    if below[0] != os.pardir and not BUILT_IN.isdisjoint(below):
        return True
    return bool(exclude) and bool(Patterns.of(root, exclude).verdict(path))


def _configured(exclude: Sequence[str], root: str, folder: str) -> Patterns | None:
    """The patterns of a configuration, as far as they do not hide the folder that is walked."""
    if not exclude:
        return None
    base = root if os.path.commonpath([folder, root]) == root else folder
    return Patterns.of(base, exclude).without_those_that_hide(folder + os.sep)


def _walk_named(
    given: str, exclude: Sequence[str], root: str, wanted: _Wanted
) -> Iterator[tuple[str, SourceFile]]:
    """The files below a named folder, each with its real path to tell it by."""
    folder = os.path.abspath(given)
    configured = _configured(exclude, root, folder)
    above = gitignores_above(folder) if wanted.gitignore else ()
    real = os.path.realpath(folder)
    prefix = "" if given in (".", "./") else os.path.join(given, "")
    walk = _Walk(wanted)
    for entry in walk.below(folder, above, configured):
        below = entry.path[len(folder) :].lstrip(os.sep)
        # Folders behind links are not entered, so only a link to a file leads elsewhere.
        identity = os.path.realpath(entry.path) if entry.is_symlink() else os.path.join(real, below)
        yield identity, SourceFile(prefix + below, entry.path)
    for path, reason in walk.unlisted.items():
        below = path[len(folder) :].lstrip(os.sep)
        name = prefix + below if below else given
        yield os.path.join(real, below), SourceFile(name, path, unlisted=reason)


class _Walk:
    """The files below a folder, in the order of their names.

    Attributes:
        unlisted: The folders that could not be listed, with the system's reason.
    """

    def __init__(self, wanted: _Wanted) -> None:
        self._wanted = wanted
        self._looked_at = (*wanted.suffixes, ".gitignore", "pyproject.toml")
        self._found: list[os.DirEntry[str]] = []
        self.unlisted: dict[str, str] = {}

    def below(
        self, folder: str, gitignores: Sequence[Patterns], configured: Patterns | None
    ) -> list[os.DirEntry[str]]:
        """Those that were found by now, with those below one more folder."""
        wanted = self._wanted
        try:
            with os.scandir(folder) as entries:
                wanted_or_folder = [
                    entry
                    for entry in entries
                    if entry.name.endswith(self._looked_at) or entry.is_dir(follow_symlinks=False)
                ]
            children = sorted(wanted_or_folder, key=_NAME)
        except OSError as error:
            self.unlisted[folder] = error.strerror or type(error).__name__
            return self._found
        names = {child.name for child in children}
        if wanted.gitignore and ".gitignore" in names:
            own = gitignore_of(folder)
            gitignores = (own, *gitignores) if own else gitignores
        if wanted.enter is not None and "pyproject.toml" in names:
            try:
                own_rules = wanted.enter(folder)
            except RefusedFolderError:
                return self._found
            if own_rules is not None:
                configured = _configured(own_rules.exclude, own_rules.root, folder)
        # The configuration speaks first, so that a `!` there takes back what a .gitignore leaves out.
        chain = (configured, *gitignores) if configured else gitignores
        for child in children:
            if child.is_dir(follow_symlinks=False):
                if child.name not in BUILT_IN and not _ignored(child.path + os.sep, chain):
                    self.below(child.path, gitignores, configured)
            elif (
                child.name.endswith(wanted.suffixes)
                and _is_file(child)
                and not _ignored(child.path, chain)
            ):
                self._found.append(child)
        return self._found


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads to itself
        return False


def _ignored(path: str, chain: Sequence[Patterns]) -> bool:
    """Whether a path is left out, by the first of the chain that has an opinion."""
    for patterns in chain:
        verdict = patterns.verdict(path)
        if verdict is not None:
            return verdict
    return False
