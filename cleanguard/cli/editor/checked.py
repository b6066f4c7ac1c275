"""Checks what an editor shows, in processes like those of `check`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cleanguard.catalogue.findings import Finding
from cleanguard.errors import JobError
from cleanguard.files import SourceFile, discover, is_excluded
from cleanguard.settings.config import Settings, load_settings
from lint_rules._engine.checking import check_source
from lint_rules._engine.each import Each, Unread
from lint_rules._engine.reported import unreadable
from lint_rules._engine.worker import start_clock
from lint_rules._run.others import OtherFiles

_DEFAULTS = Settings()


@dataclass(frozen=True, slots=True)
class Look:
    """A file as it stands in the editor.

    Attributes:
        path: Where it is, or will be.
        content: Its bytes.
        neighbours: Follow imports into the other files below the settings' root as well.
    """

    path: Path
    content: bytes
    neighbours: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """What is found in a file.

    Attributes:
        found: The findings.
        problem: Why an earlier configuration counted, or the other files were left out; None for neither.
    """

    found: tuple[Finding, ...]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _Open(SourceFile):
    """An open file, and what checking it takes; done in a worker process, as `check` does it."""

    settings: Settings = _DEFAULTS
    others: tuple[SourceFile, ...] = ()
    edits: bool = False


def _found_in(file: SourceFile) -> tuple[Finding, ...]:
    assert isinstance(file, _Open)
    others = OtherFiles(file.others, file.settings, start_clock) if file.others else None
    return check_source(file.name, file.read(), file.settings, others, file.path, edits=file.edits)


class Checker:
    """Checks files as they stand in the editor, one after the other in a process that stays."""

    def __init__(self) -> None:
        self._each = Each(_found_in, "checking", jobs=1)
        # The last configuration of each folder that could be used.
        self._settings: dict[Path, Settings] = {}

    def warm_up(self) -> None:
        """Starts the process, which is safest before there are threads."""
        self._each.run([_Open("warm.py", Path("warm.py"), b"")])

    def close(self) -> None:
        """Ends the process."""
        self._each.__exit__()

    def checked(self, look: Look, *, edits: bool = False) -> Checked:
        """The findings of a file as it stands in the editor.

        Where its configuration cannot be used, the last one that could be counts.

        Args:
            look: The file.
            edits: Fixes come with their edits, which takes several times as long.

        Raises:
            JobError: No configuration can be used, or a rule crashed.
        """
        path, problem = look.path, None
        try:
            settings = self._settings[path.parent] = load_settings(path)
        except JobError as error:
            problem = str(error)
            if path.parent not in self._settings:
                raise
            settings = self._settings[path.parent]
        if is_excluded(str(path), settings.left_out, str(settings.root.absolute())):
            return Checked((), problem)
        files: tuple[SourceFile, ...] = ()
        if look.neighbours:
            try:
                files = discover([str(settings.root)], settings.left_out, settings.root)
            except JobError as error:  # the file alone can still be checked
                problem = problem or str(error)
        asked = _Open(str(path), path, look.content, settings=settings, others=files, edits=edits)
        (found,) = self._each.run([asked])
        if not isinstance(found, Unread):
            return Checked(found, problem)
        if found.crashed:
            raise JobError(found.reason)
        return Checked(unreadable(found.name, found.reason, settings, found.position), problem)


def migrated(path: Path, content: bytes) -> bytes:
    """What `migrate` makes of a file as it stands in the editor; its own bytes where it makes nothing.

    Raises:
        JobError: The configuration cannot be used.
    """
    from codemods.planning import Planner, Unread

    file = SourceFile(str(path), path, content)
    for plan in Planner([file], load_settings(path)).plans():
        if not isinstance(plan, Unread) and plan.refusal is None:
            return plan.after
    return content
