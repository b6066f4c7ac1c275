"""Finds the Python files that a run looks at.

A file that is named is always taken, whatever it is called and whatever would leave it out. A folder
that is named is walked: `.py` and `.pyi`, without the built-in folders, without what .gitignore files
and the configuration leave out. Folders behind symbolic links are not entered (so no loops); name
them to check them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cleanguard.editing.read import read_file
from cleanguard.errors import JobError
from cleanguard.settings.ignores import BUILT_IN, Patterns, gitignore_of, gitignores_above

SUFFIXES = (".py", ".pyi")
NOTEBOOKS = (".ipynb",)


class FilesError(JobError):
    """A path cannot be looked at; the message names it and the remedy."""


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
        path: Where to read it.
        content: Its bytes, where they come from elsewhere (standard input).
    """

    name: str
    path: Path
    content: bytes | None = None

    def read(self) -> bytes:
        """The file's bytes.

        Raises:
            OSError: It cannot be read, or is a pipe or a device by now.
        """
        return read_file(self.path) if self.content is None else self.content


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
        FilesError: A path does not exist or is no file, or a folder cannot be listed. Files that
            cannot be read are found when they are read.
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
            candidates = iter([(os.path.realpath(given), SourceFile(given, Path(given)))])
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
    for entry in _walk(folder, above, configured, wanted):
        below = entry.path[len(folder) :].lstrip(os.sep)
        # Folders behind links are not entered, so only a link to a file leads elsewhere.
        identity = os.path.realpath(entry.path) if entry.is_symlink() else os.path.join(real, below)
        yield identity, SourceFile(prefix + below, Path(entry.path))


def _walk(
    folder: str,
    gitignores: Sequence[Patterns],
    configured: Patterns | None,
    wanted: _Wanted,
) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            children = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise FilesError(
            f"{os.path.relpath(folder)}: cannot list the folder: {reason}; exclude it"
        ) from None
    if wanted.gitignore and any(child.name == ".gitignore" for child in children):
        own = gitignore_of(folder)
        gitignores = (own, *gitignores) if own else gitignores
    if wanted.enter is not None and any(child.name == "pyproject.toml" for child in children):
        try:
            own_rules = wanted.enter(folder)
        except RefusedFolderError:
            return
        if own_rules is not None:
            configured = _configured(own_rules.exclude, own_rules.root, folder)
    # The configuration speaks first, so that a `!` there takes back what a .gitignore leaves out.
    chain = (configured, *gitignores) if configured else gitignores
    for child in children:
        if child.is_dir(follow_symlinks=False):
            if child.name not in BUILT_IN and not _ignored(child.path + os.sep, chain):
                yield from _walk(child.path, gitignores, configured, wanted)
        elif (
            child.name.endswith(wanted.suffixes)
            and _is_file(child)
            and not _ignored(child.path, chain)
        ):
            yield child


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads to itself
        return False


def _ignored(path: str, chain: Sequence[Patterns]) -> bool:
    """Whether a path is left out, by the first of the chain that has an opinion."""
    return next((v for v in (patterns.verdict(path) for patterns in chain) if v is not None), False)
