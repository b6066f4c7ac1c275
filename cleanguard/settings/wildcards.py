"""Patterns with many wildcards, matched in a time that grows with path and pattern and no faster.

Regular expressions try every way to share a path out among its wildcards. A repository that is only
checked may hold such patterns, and names to go with them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

# Up to here a regular expression takes at most some milliseconds for the longest path.
FEW = 2
# Git itself takes no longer paths.
LONGEST = 4096
# Steps, a state and a letter each: some seconds at first, and about a millisecond for each path more.
_AT_FIRST = 10_000_000
_A_PATH = 5_000

# What pathspec's regular expressions are made of, and how they end: with the path itself or below it,
# below a folder of this name only, or below a folder whatever stands there. Versions differ in form.
_PARTS = re.compile(
    r"""
    (?P<above>\(\?:\.\+/\)\?) | (?P<between>\(\?:/\.\+\)\?)
    | (?P<some>\[\^/\]\+) | (?P<many>\[\^/\]\*) | (?P<one>\[\^/\])
    | (?P<set>\[\^?\]?[^\]]*\]) | \\(?P<escaped>.) | (?P<letter>[^.*+?()|{}\[\]\\$^])
    """,
    re.VERBOSE | re.DOTALL,
)
_MARK = "(?P<ps_d>/)"
_ENDS = (
    (f"(?:{_MARK}|$)", "here"),
    (f"(?:{_MARK}.*)?$", "here"),
    (f"{_MARK}.*$", "folder"),
    (_MARK, "folder"),
    ("/.*$", "below"),
    ("/", "below"),
)
_Test = Callable[[str], Any]


def has_many(pattern: str) -> bool:
    """Whether a gitignore pattern has so many wildcards that matching it may take for ever."""
    return len(re.findall(r"\*+", pattern)) > FEW


class TooLongError(Exception):
    """Thousands of such patterns take long even so."""


class _Meter:
    """The steps that this process may still take; each path that is asked about allows some more."""

    def __init__(self) -> None:
        self.left = _AT_FIRST

    def path(self) -> None:
        self.left += _A_PATH

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            self.left = _AT_FIRST
            raise TooLongError


METER = _Meter()


class ManyWildcards:
    """One gitignore pattern.

    Args:
        regex: What pathspec makes of it.

    Raises:
        ValueError: It has parts that are not known here.
    """

    def __init__(self, regex: str) -> None:
        # For each state what leads on: a test of the next letter, or nothing but a step.
        self._letters: list[list[tuple[_Test, int]]] = [[]]
        self._steps: list[list[int]] = [[]]
        tail, self._kind = next((one for one in _ENDS if regex.endswith(one[0])), ("", ""))
        core = regex.removesuffix(tail)
        at = 1
        for part in _PARTS.finditer(core, 1):
            if part.start() != at:
                break
            at = part.end()
            self._add(str(part.lastgroup), part)
        if not regex.startswith("^") or not tail or at != len(core):
            raise ValueError(f"a pattern that cannot be matched safely: {regex!r}")

    def matches(self, path: str) -> tuple[bool, bool]:
        """Whether a path matches, and whether only a folder above it does.

        Args:
            path: Relative to the pattern's folder; a folder's ends in a slash.

        Raises:
            TooLongError: This process has spent far too long on such patterns.
        """
        through_folder = False
        states = self._closed({0})
        for letter in path:
            METER.spend(1 + len(states))
            if letter == "/" and self._last in states:
                if self._kind != "here":
                    return True, self._kind == "folder"
                through_folder = True
            states = self._closed(
                {to for state in states for test, to in self._letters[state] if test(letter)}
            )
            if not states:
                return through_folder, through_folder
        if self._kind == "here" and self._last in states:
            return True, False
        return through_folder, through_folder

    def _closed(self, states: set[int]) -> set[int]:
        waiting = list(states)
        while waiting:
            for to in self._steps[waiting.pop()]:
                if to not in states:
                    states.add(to)
                    waiting.append(to)
        return states

    def _add(self, kind: str, part: re.Match[str]) -> None:
        if kind == "above":
            start = self._last
            self._letter(_any)
            self._loop(_any)
            self._letter("/".__eq__)
            self._steps[start].append(self._last)
        elif kind == "between":
            start = self._last
            self._letter("/".__eq__)
            self._letter(_any)
            self._loop(_any)
            self._steps[start].append(self._state_after(self._last))
        elif kind == "many":
            self._state_after(self._last)
            self._loop(_in_name)
        elif kind == "some":
            self._letter(_in_name)
            self._loop(_in_name)
        elif kind == "one":
            self._letter(_in_name)
        else:
            self._letter(re.compile(part[0]).fullmatch if kind == "set" else part[kind].__eq__)

    @property
    def _last(self) -> int:
        return len(self._letters) - 1

    def _state_after(self, state: int) -> int:
        """A new state that a step leads to."""
        self._letters.append([])
        self._steps.append([])
        self._steps[state].append(self._last)
        return self._last

    def _letter(self, test: _Test) -> None:
        """A letter leads from the last state to a new one."""
        self._letters.append([])
        self._steps.append([])
        self._letters[-2].append((test, self._last))

    def _loop(self, test: _Test) -> None:
        """The last state takes any number of letters."""
        self._letters[-1].append((test, self._last))


def _any(letter: str) -> bool:
    return letter != "\n"


def _in_name(letter: str) -> bool:
    return letter != "/"
