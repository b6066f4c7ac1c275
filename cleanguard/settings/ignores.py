"""Which paths a walk leaves out: built-in folders, .gitignore files, patterns from the configuration."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cleanguard.editing.read import read_file
from cleanguard.errors import JobError
from cleanguard.settings.plain_patterns import Plain, Sieve, plain
from cleanguard.settings.wildcards import LONGEST, METER, ManyWildcards, TooLongError, has_many

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
class _Pattern:
    """One pattern.

    Attributes:
        include: What it says of a path that it matches.
        match: Whether it matches, and whether only through a folder above; the latter says less.
        expression: What is searched for; None where that does not say it all.
        plain: The pattern, where no library is needed to read it.
    """

    include: bool
    match: Callable[[str], tuple[bool, bool]]
    expression: str | None = None
    plain: Plain | None = None


@dataclass(frozen=True, slots=True)
class Patterns:
    """gitignore-style patterns and the folder that they are relative to."""

    base: str
    patterns: tuple[_Pattern, ...]
    # Lets through whatever any of the patterns matches: most paths are told from all of them at once.
    may_match: Callable[[str], bool]

    @classmethod
    def of(cls, base: Path | str, lines: Iterable[str]) -> Patterns:
        """Compile patterns.

        Raises:
            ValueError: One of them is not a gitignore pattern, or far too long for one.
        """
        found = (pattern for line in lines for pattern in _compiled(line))
        patterns = tuple(found)
        return cls(os.path.abspath(base), patterns, _any_of(patterns))

    def verdict(self, path: str) -> bool | None:
        """True for an ignored path, False for one that is taken back, None where nothing matches.

        Args:
            path: An absolute path; a folder's ends in a slash.

        Raises:
            JobError: There are thousands of patterns with many wildcards, so that it takes too long.
        """
        prefix = self.base.rstrip(os.sep) + os.sep
        if not path.startswith(prefix):
            return None
        below = path[len(prefix) :].replace(os.sep, "/")
        if not self.may_match(below):
            return None
        METER.path()
        try:
            return self._verdict(below)
        except TooLongError:
            raise JobError(
                f"{self.base}: its ignore patterns have so many wildcards that matching them takes too long; "
                "write fewer in .gitignore or `exclude`, or pass --no-respect-gitignore"
            ) from None

    def _verdict(self, below: str) -> bool | None:
        verdict: bool | None = None
        # The last that matches counts, and one for the path itself more than one for a folder above.
        for pattern in reversed(self.patterns):
            found, through_folder = pattern.match(below)
            if found and not through_folder:
                return pattern.include
            if found and verdict is None:
                verdict = pattern.include
        return verdict

    def without_those_that_hide(self, folder: str) -> Patterns:
        """The patterns that do not leave out `folder` itself: a folder that was named is wanted."""
        kept = tuple(
            one
            for one in self.patterns
            if not Patterns(self.base, (one,), lambda _: True).verdict(folder)
        )
        return Patterns(self.base, kept, _any_of(kept))


def _any_of(patterns: Sequence[_Pattern]) -> Callable[[str], bool]:
    """Whether a path below the folder may match any of the patterns."""
    sieve = Sieve(one.plain for one in patterns if one.plain is not None)
    others = [one.expression for one in patterns if one.plain is None]
    if not others:
        return sieve.lets_through
    rest = _searched(others)
    return lambda path: sieve.lets_through(path) or rest is None or rest.search(path) is not None


def _searched(expressions: Sequence[str | None]) -> re.Pattern[str] | None:
    """One expression for many; None where one pattern is more than an expression."""
    texts = [text for text in expressions if text is not None]
    if len(texts) < len(expressions):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile("|".join(f"(?:{text})" for text in dict.fromkeys(texts)))
    except re.error:  # flags, or groups with names of their own
        return None


@lru_cache(maxsize=4096)
def _compiled(line: str) -> tuple[_Pattern, ...]:
    """Compiles a line, which mostly stands in more than one file.

    Raises:
        ValueError: It is no gitignore pattern.
    """
    own = plain(line)
    if own is not None:
        return (_Pattern(own.include, own.matches, own.expression, own),)
    from pathspec import GitIgnoreSpec

    if len(line) > LONGEST:
        raise ValueError(f"a pattern of more than {LONGEST} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sets that a later Python may read otherwise
            return tuple(
                _Pattern(pattern.include, _matcher(line, pattern), _expression(line, pattern))
                for pattern in GitIgnoreSpec.from_lines([line]).patterns
                if pattern.include is not None
            )
    except re.error as error:
        raise ValueError(f"not a pattern: {error}") from error


def _expression(line: str, pattern: Any) -> str | None:
    """The expression that a pattern searches for; pathspec names a group in each."""
    text: str = pattern.regex.pattern
    return None if has_many(line) else text.replace("(?P<ps_d>", "(?:")


def _matcher(line: str, pattern: Any) -> Callable[[str], tuple[bool, bool]]:
    if has_many(line) and pattern.regex.pattern.startswith("^"):  # others match anything
        return ManyWildcards(pattern.regex.pattern).matches

    def match(path: str) -> tuple[bool, bool]:
        found = pattern.match_file(path)
        return found is not None, found is not None and bool(found.match.groupdict().get("ps_d"))

    return match


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
    if not line.strip() or line.startswith("#"):
        return False
    try:
        _compiled(line)
    except ValueError:
        return False
    return True
