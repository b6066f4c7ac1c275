"""The git repository of a directory: commit, what differs from it, where it came from."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cleanguard.secrets.redaction import redact_text

_SECONDS = 10


@dataclass(frozen=True, slots=True)
class GitState:
    """The repository of the working directory.

    Attributes:
        commit: HEAD; None before the first commit.
        dirty: Tracked files differ from HEAD, or untracked ones exist.
        diff_sha256: sha256 of `git diff HEAD` as bytes; None when it is empty.
        untracked: How many untracked files there are; their content is not in `diff_sha256`.
        branch: The branch that is checked out; None on a detached HEAD.
        remote: URL of `origin`, users and passwords hidden; None without one.
    """

    commit: str | None
    dirty: bool
    diff_sha256: str | None
    untracked: int = 0
    branch: str | None = None
    remote: str | None = None


def git_state(directory: Path | None = None) -> GitState | None:
    """Measure the repository around a directory, by default the working directory, once a process.

    Returns:
        None outside a repository, without git, or where git does not answer in 10 seconds.
    """
    try:
        return _measure(str(directory or Path.cwd()))
    except OSError:  # the working directory was deleted
        return None


@lru_cache(maxsize=8)
def _measure(directory: str) -> GitState | None:
    status = _git(directory, "status", "--porcelain=v2", "--branch", "-z")
    if status is None:
        return None
    entries = status.decode(errors="replace").split("\0")
    heads = dict(line[2:].split(" ", 1) for line in entries if line.startswith("# branch."))
    changed = any(line and line[0] in "12u" for line in entries)
    untracked = sum(line.startswith("? ") for line in entries)
    commit, branch = heads.get("branch.oid"), heads.get("branch.head")
    known = commit is not None and not commit.startswith("(")
    diff = (
        _git(directory, "diff", "HEAD", "--no-ext-diff", "--binary") if changed and known else b""
    )
    remote = _git(directory, "config", "--get", "remote.origin.url")
    return GitState(
        commit=commit if known else None,
        dirty=changed or untracked > 0,
        diff_sha256=hashlib.sha256(diff).hexdigest() if diff else None,
        untracked=untracked,
        branch=None if branch is None or branch.startswith("(") else redact_text(branch),
        remote=redact_text(remote.decode(errors="replace").strip()) if remote else None,
    )


def _git(directory: str, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(
            ["git", "-C", directory, *arguments],
            capture_output=True,
            timeout=_SECONDS,
            check=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
