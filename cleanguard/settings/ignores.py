"""Which paths a walk leaves out: built-in folders, .gitignore files, patterns from the configuration."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cleanguard.editing.read import read_file

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

BUILT_IN = frozenset(
    {
        ".cleanguard_cache",
        ".direnv",
        ".eggs",
        ".git",
        ".hg",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".nox",
        ".pyenv",
        ".pytest_cache",
        ".pytype",
        ".ruff_cache",
        ".svn",
        ".tox",
        ".venv",
        "__pycache__",
        "__pypackages__",
        "build",
        "dist",
        "node_modules",
        "site-packages",
        "venv",
    }
)


@dataclass(frozen=True, slots=True)
class Patterns:
    """gitignore-style patterns and the folder that they are relative to."""

    base: str
    spec: GitIgnoreSpec

    @classmethod
    def of(cls, base: Path | str, lines: Iterable[str]) -> Patterns:
        """Compile patterns.

        Raises:
            ValueError: One of them is not a gitignore pattern.
        """
        from pathspec import GitIgnoreSpec

        return cls(os.path.abspath(base), GitIgnoreSpec.from_lines(lines))

    def verdict(self, path: str) -> bool | None:
        """True for an ignored path, False for one that is taken back, None where nothing matches.

        Args:
            path: An absolute path; a folder's ends in a slash.
        """
        prefix = self.base.rstrip(os.sep) + os.sep
        if not path.startswith(prefix):
            return None
        return self.spec.check_file(path[len(prefix) :]).include

    def without_those_that_hide(self, folder: str) -> Patterns:
        """The patterns that do not leave out `folder` itself: a folder that was named is wanted."""
        from pathspec import GitIgnoreSpec

        kept = [
            p
            for p in self.spec.patterns
            if not Patterns(self.base, GitIgnoreSpec([p])).verdict(folder)
        ]
        return Patterns(self.base, GitIgnoreSpec(kept))


def matches(patterns: Iterable[str], root: Path, path: Path) -> bool:
    """Whether a file matches gitignore-style patterns that are relative to `root`."""
    return bool(Patterns.of(root, patterns).verdict(os.path.abspath(path)))


def gitignore_of(folder: str) -> Patterns | None:
    """The patterns of a folder's own .gitignore, None where it has none that says anything.

    Lines that git itself cannot use are skipped, as git skips them.
    """
    try:
        text = read_file(Path(folder, ".gitignore")).decode("utf-8", errors="surrogateescape")
    except OSError:
        return None
    usable = [line for line in text.splitlines() if _compiles(line)]
    return Patterns.of(folder, usable) if usable else None


def gitignores_above(folder: str) -> list[Patterns]:
    """The .gitignore files of the folders above, nearest first; none outside a repository."""
    above: list[Patterns] = []
    current = Path(folder)
    while not (current / ".git").exists():
        if current.parent == current:
            return []
        current = current.parent
        patterns = gitignore_of(str(current))
        if patterns:
            above.append(patterns.without_those_that_hide(folder + os.sep))
    return above


def _compiles(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    if not line.strip() or line.startswith("#"):
        return False
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True
