"""The settings and files that a command works on, as its arguments say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cleanguard.errors import JobError
from cleanguard.files import NOTEBOOKS, SUFFIXES, SourceFile, discover, is_excluded
from cleanguard.settings.config import Scope, Settings, load_settings, selected


def inputs_of(
    paths: Sequence[str],
    config: Path | None,
    *,
    select: Sequence[str] = (),
    extend_select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    scope: Scope | None = None,
    force_exclude: bool = False,
    stdin: SourceFile | None = None,
    notebooks: bool = False,
) -> tuple[Settings, tuple[SourceFile, ...]]:
    """The configured settings with the command line's on top, and the files that the paths name.

    Raises:
        JobError: The configuration or a path cannot be used, or there is nothing to look at.
    """
    paths = (stdin.name,) if stdin else paths or (".",)
    absolute = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - links stay as they were named
    settings = load_settings(Path(os.path.commonpath(absolute)), config)
    settings = replace(
        settings,
        select=codes_in(select, "--select") or settings.select,
        extend_select=(*settings.extend_select, *codes_in(extend_select)),
        ignore=(*settings.ignore, *codes_in(ignore)),
        scope=scope or settings.scope,
        force_exclude=force_exclude or settings.force_exclude,
    )
    selected(settings)
    if stdin:
        excluded = is_excluded(stdin.name, settings.exclude, os.path.abspath(settings.root))  # noqa: PTH100
        return settings, () if settings.force_exclude and excluded else (stdin,)
    force = settings.force_exclude
    suffixes = SUFFIXES + NOTEBOOKS if notebooks else SUFFIXES
    files = discover(paths, settings.exclude, settings.root, force_exclude=force, suffixes=suffixes)
    # A hook that names only excluded files has nothing to do; without the switch it is a mistake.
    if not files and not force:
        raise JobError(
            f"no Python files under {', '.join(paths)}, so nothing was checked; "
            "name a folder with .py files, or look at `exclude` and .gitignore"
        )
    return settings, files


def codes_in(values: Sequence[str], needed: str | None = None) -> tuple[str, ...]:
    """The codes of an option that may be given several times, each with several codes.

    Args:
        values: What was given.
        needed: The option's name, if it must name a code where it is given.

    Raises:
        JobError: It names none.
    """
    codes = tuple(entry.strip() for value in values for entry in value.split(",") if entry.strip())
    if needed and values and not codes:
        raise JobError(f"`{needed}` names no code; leave it out for the configured ones")
    return codes
