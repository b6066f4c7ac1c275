"""The files of a run, for each other's imports; the value flow is not loaded until one is needed."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from lint_rules._run.screen import Screened

if TYPE_CHECKING:
    from lint_rules._run.project import Project


class OtherFiles:
    """The files of a run, for each other's imports; one object serves a whole process.

    Args:
        files: All of them.
        settings: What the run was told.
        started: Called before another module is analysed.
        is_given: Whether calls of a file's functions are followed for what they give it, whatever they return.
    """

    def __init__(
        self,
        files: Sequence[SourceFile],
        settings: Settings,
        started: Callable[[], None] = lambda: None,
        is_given: Callable[[Path], bool] | None = None,
    ) -> None:
        self._files = files
        self._settings = settings
        self._started = started
        self._is_given = is_given
        self._project: Project | None = None

    def project(self) -> Project:
        """The modules by name, made when the first file is parsed: it loads the value flow."""
        from lint_rules._run.project import Project

        if self._project is None:
            self._project = Project(self._files, self._settings, self._started, self._is_given)
        return self._project

    def known(self, path: Path) -> Screened | None:
        """What is known of a file that was parsed already, because another one imports from it."""
        return None if self._project is None else self._project.known(path)

    def know(self, path: Path, tree: ast.Module, said: Screened) -> None:
        """Takes a file that was parsed to be checked; others may import from it."""
        if said.matters or self._project is not None:
            self.project().know(path, tree, said)

    def uses(self, path: Path) -> frozenset[str]:
        """Real paths of the other files that the findings of a checked one rest on."""
        return frozenset() if self._project is None else self._project.dependencies(path)
