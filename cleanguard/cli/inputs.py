"""The settings and files that a command works on, as its arguments say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cleanguard.cli.overrides import NOTHING, Overrides, codes_in
from cleanguard.errors import JobError
from cleanguard.files import (
    NOTEBOOKS,
    SUFFIXES,
    FolderRules,
    RefusedFolderError,
    SourceFile,
    discover,
    is_excluded,
)
from cleanguard.settings.config import Settings, load_settings, own_settings, selected
from cleanguard.settings.config_file import ConfigError

__all__ = ["Inputs", "codes_in", "inputs_of"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a command works on.

    Attributes:
        settings: The configured ones with the command line's on top; folders with a configuration of
            their own are in it.
        files: What the paths name.
        problems: Configurations that cannot be used. The files that they hold for are not among the
            files, so a command that is told of any leaves with 2.
        refused: The folders of those.
    """

    settings: Settings
    files: tuple[SourceFile, ...]
    problems: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    def refuses(self, path: Path) -> bool:
        """Whether a file lies where the configuration cannot be used."""
        absolute = os.path.abspath(path)  # noqa: PTH100
        return any(absolute.startswith(folder + os.sep) for folder in self.refused)


def inputs_of(
    paths: Sequence[str],
    overrides: Overrides = NOTHING,
    *,
    stdin: SourceFile | None = None,
    notebooks: bool = False,
) -> Inputs:
    """The configured settings with the command line's on top, and the files that the paths name.

    Each file has the configuration of the nearest folder at or above it that has one; a file named
    with `--config` holds for all.

    Raises:
        JobError: The configuration of the whole run or a path cannot be used, or there is nothing to
            look at.
    """
    paths = (stdin.name,) if stdin else paths or (".",)
    absolute = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - links stay as they were named
    common = Path(os.path.commonpath(absolute))
    config = overrides.config_file
    if overrides.isolated:
        settings = Settings(root=common if common.is_dir() else common.parent)
    else:
        settings = load_settings(common, config)
    settings = overrides.on(settings)
    selected(settings)
    root = os.path.abspath(settings.root)  # noqa: PTH100
    if stdin:
        excluded = is_excluded(stdin.name, settings.left_out, root)
        return Inputs(settings, () if settings.force_exclude and excluded else (stdin,))
    folders = _Folders(settings, overrides)
    fixed = overrides.isolated or config is not None
    if not fixed:
        for path in absolute:
            folders.above(path, common)
    force = settings.force_exclude
    files = discover(
        paths,
        settings.left_out,
        settings.root,
        force_exclude=force,
        suffixes=SUFFIXES + NOTEBOOKS if notebooks else SUFFIXES,
        enter=None if fixed else folders.enter,
        gitignore=not overrides.no_gitignore,
    )
    settings = folders.settings
    files = tuple(file for file in files if folders.takes(file, settings))
    # A hook that names only excluded files has nothing to do; without the switch it is a mistake.
    if not files and not force and not folders.problems:
        raise JobError(
            f"no Python files under {', '.join(paths)}, so nothing was checked; "
            "name a folder with .py files, or look at `exclude` and .gitignore"
        )
    return Inputs(settings, files, tuple(folders.problems.values()), tuple(folders.problems))


class _Folders:
    """The folders of a run that have a configuration of their own."""

    def __init__(self, settings: Settings, overrides: Overrides) -> None:
        self._top = settings
        self._overrides = overrides
        self._own: dict[str, Settings | None] = {os.path.abspath(settings.root): None}  # noqa: PTH100
        self.problems: dict[str, str] = {}

    @property
    def settings(self) -> Settings:
        """Those of the run, with those of single folders in them."""
        own = [(folder, found) for folder, found in self._own.items() if found is not None]
        own.sort(key=lambda entry: -len(entry[0]))
        return replace(self._top, nested=tuple(own))

    def enter(self, folder: str) -> FolderRules | None:
        """What a folder's own configuration leaves out, None if it has none.

        Raises:
            RefusedFolderError: It cannot be used; `problems` says why.
        """
        if folder not in self._own and folder not in self.problems:
            try:
                found = own_settings(Path(folder))
                if found is not None:
                    found = self._overrides.on(found)
                    selected(found)
                self._own[folder] = found
            except ConfigError as error:
                self.problems[folder] = (
                    f"{error}; the files in {os.path.relpath(folder)} were not checked"
                )
        if folder in self.problems:
            raise RefusedFolderError
        own = self._own[folder]
        return None if own is None else FolderRules(own.left_out, folder)

    def above(self, path: str, common: Path) -> None:
        """Looks into the folders between the one that all paths share and one of them."""
        for folder in (path, *map(str, Path(path).parents)):
            if not Path(folder).is_relative_to(common):
                return
            if os.path.isdir(folder):  # noqa: PTH112 - a name that is no path is no folder
                try:
                    self.enter(folder)
                except RefusedFolderError:
                    continue

    def takes(self, file: SourceFile, settings: Settings) -> bool:
        """Whether the configuration of a file can be used, and does not leave out a file that is named."""
        if not settings.nested and not self.problems:
            return True
        path = os.path.abspath(file.place)  # noqa: PTH100
        if any(path.startswith(folder + os.sep) for folder in self.problems):
            return False
        own = settings.at(path)
        if own is settings or not own.force_exclude:
            return True
        return not is_excluded(path, own.left_out, os.path.abspath(own.root))  # noqa: PTH100
