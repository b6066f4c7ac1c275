"""Checks what an editor shows, in processes like those of `check`."""

from __future__ import annotations

import json
from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True)
class _Open:
    """What checking an open file takes; done in a worker process, as `check` does it."""

    settings: Settings
    others: tuple[SourceFile, ...]

    def __call__(self, file: SourceFile) -> tuple[Finding, ...]:
        others = OtherFiles(self.others, self.settings, start_clock) if self.others else None
        return check_source(file.name, file.read(), self.settings, others, file.path)


def checked(path: Path, content: bytes, *, neighbours: bool) -> tuple[Finding, ...]:
    """The findings of a file as it stands in the editor.

    Args:
        path: Where it is, or will be.
        content: Its bytes.
        neighbours: Follow imports into the other files below the settings' root as well.

    Raises:
        JobError: The configuration cannot be used, or a rule crashed.
    """
    settings = load_settings(path)
    if is_excluded(str(path), settings.left_out, str(settings.root.absolute())):
        return ()
    files: tuple[SourceFile, ...] = ()
    if neighbours:
        files = discover([str(settings.root)], settings.left_out, settings.root)
    with Each(_Open(settings, files), "checking", jobs=1) as each:
        (found,) = each.run([SourceFile(str(path), path, content)])
    if not isinstance(found, Unread):
        return found
    if found.crashed:
        raise JobError(found.reason)
    return unreadable(found.name, found.reason, settings, found.position)


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


def as_notebook(cells: Sequence[tuple[str, str]]) -> bytes:
    """A notebook's file with the cells of an open one.

    Args:
        cells: Kind (`code`, `markdown`) and text of each.
    """
    plain: list[dict[str, object]] = [
        {"cell_type": kind, "metadata": {}, "source": text, "outputs": [], "execution_count": None}
        for kind, text in cells
    ]
    whole = {"cells": plain, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole).encode("utf-8", errors="replace")
