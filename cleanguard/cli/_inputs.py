"""The settings and files that a command works on, as its arguments say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cleanguard.config import Scope, Settings, load_settings, selected
from cleanguard.errors import JobError
from cleanguard.files import SourceFile, discover


def inputs_of(
    paths: Sequence[str],
    config: Path | None,
    *,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    scope: Scope | None = None,
) -> tuple[Settings, tuple[SourceFile, ...]]:
    """The configured settings with the command line's on top, and the files that the paths name.

    Raises:
        JobError: The configuration or a path cannot be used, or there is nothing to look at.
    """
    paths = paths or (".",)
    absolute = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - links stay as they were named
    settings = load_settings(Path(os.path.commonpath(absolute)), config)
    settings = replace(
        settings,
        select=_split(select) or settings.select,
        ignore=(*settings.ignore, *_split(ignore)),
        scope=scope or settings.scope,
    )
    selected(settings)
    files = discover(paths, settings.exclude, settings.root)
    if not files:
        raise JobError(
            f"no Python files under {', '.join(paths)}, so nothing was checked; "
            "name a folder with .py files, or look at `exclude` and .gitignore"
        )
    return settings, files


def _split(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(entry.strip() for value in values for entry in value.split(",") if entry.strip())
