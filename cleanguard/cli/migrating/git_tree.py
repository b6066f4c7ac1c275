"""Whether a write could be taken back with git: files that are changed or unknown to it cannot."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from cleanguard.errors import JobError

_SHOWN = 3


def refuse_dirty(paths: Sequence[Path]) -> None:
    """Refuses to write while git has uncommitted changes, or does not know a file to be written.

    Outside a git repository, or without git, nothing is refused.

    Raises:
        JobError: With the first of the files.
    """
    for folder in sorted({path.resolve().parent for path in paths}):
        if _git(folder, "rev-parse", "--is-inside-work-tree") is None:
            return
    changed: list[str] = []
    for folder in sorted({root for path in paths if (root := root_of(path)) is not None}):
        out = _git(folder, "status", "--porcelain", "-z", "--untracked-files=no")
        changed += [entry[3:] for entry in (out or "").split("\0") if len(entry) > 3]
    unknown = [
        str(path)
        for path in paths
        if _git(path.resolve().parent, "ls-files", "--error-unmatch", "--", path.resolve().name)
        is None
    ]
    for found, what in (
        (changed, "changes that are not committed"),
        (unknown, "files git does not know"),
    ):
        if found:
            shown = ", ".join(found[:_SHOWN]) + (
                f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            )
            raise JobError(
                f"the tree has {what} ({shown}), so the rewrite could not be told from them; "
                "commit first, or pass --allow-dirty"
            )


def root_of(path: Path) -> Path | None:
    """The working tree that a file is in, None outside git."""
    found = _git(path.resolve().parent, "rev-parse", "--show-toplevel")
    return None if found is None else Path(found.strip())


def commit_of(path: Path) -> tuple[str | None, bool]:
    """The commit that is checked out where a file is, and whether there are changes on top."""
    folder = path.resolve() if path.is_dir() else path.resolve().parent
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return (None if commit is None else commit.strip()), bool(changes)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
