"""Plans the files of a run in worker processes, with the limits of `check`: one file costs only itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from codemods.migration import Migration, migrate_source
from codemods.plan.options import EVERYTHING, Wishes
from lint_rules._engine.each import Each, Unread
from lint_rules._engine.worker import start_clock
from lint_rules._run.others import OtherFiles

__all__ = ["Migration", "Planner", "Unread"]


class Planner:
    """Plans files, and plans one again for somebody who wants something else.

    Args:
        files: Those of the run; `check` reports what they are to each other.
        settings: What the run was told.
    """

    def __init__(self, files: Sequence[SourceFile], settings: Settings) -> None:
        self._files = files
        self._settings = settings
        self._others: OtherFiles | None = None

    def plans(
        self, wishes: Wishes = EVERYTHING, progress: Callable[[int, int], None] | None = None
    ) -> list[Migration | Unread]:
        """The plan of each file, in their order; what cannot be planned says why.

        Args:
            wishes: What is to be rewritten.
            progress: Called with the number of files that are done, and of all.
        """
        with Each(partial(self._plan, wishes), "planning") as each:
            return each.run(self._files, progress)

    def again(self, plan: Migration, wishes: Wishes) -> Migration:
        """A file's plan with other wishes; the one that is there where it cannot be made."""
        file = next(file for file in self._files if file.name == plan.filename)
        with Each(partial(self._plan, wishes), "planning", jobs=1) as each:
            (found,) = each.run([replace(file, content=plan.before)])
        return plan if isinstance(found, Unread) else found

    def _plan(self, wishes: Wishes, file: SourceFile) -> Migration:
        """What happens in a worker process, where the files of the run are known once."""
        if self._others is None and len(self._files) > 1:
            self._others = OtherFiles(self._files, self._settings, start_clock)
        return migrate_source(
            file.name, file.read(), self._settings, wishes, seen=self._others, path=file.path
        )
