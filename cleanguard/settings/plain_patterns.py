"""The gitignore patterns that nearly all files have, without a library that has to be loaded for them.

A path is told from what it must have in it, a name or the end of one, before an expression is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from cleanguard.settings.wildcards import LONGEST, has_many

_NAME = r"[A-Za-z0-9_.,@+$~-]"
_SETS = r"\[[A-Za-z0-9]+\]"
# `*` stands for itself only between characters: alone, or twice, it means something else.
_ONE = rf"(?:{_NAME}|{_SETS}|\?)"
_PART = rf"(?:\*?{_ONE}+)(?:\*{_ONE}+)*\*?"
_LINE = re.compile(
    rf"(?P<back>!?)(?P<above>/|\*\*/|)(?P<parts>{_PART}(?:/{_PART})*)(?P<below>/\*\*|/\*|/|)"
)
_PIECES = re.compile(rf"\*|\?|{_SETS}|{_NAME}+")
_WILD = {"*": "[^/]*", "?": "[^/]"}
_HERE = "(?:(?P<ps_d>/)|$)"
_ENDS = {"": _HERE, "/": "(?P<ps_d>/)", "/*": f"/[^/]+{_HERE}", "/**": "/"}


@dataclass(frozen=True)
class Plain:
    """A pattern of names, `*` within them, and sets of characters.

    Attributes:
        include: False for one that takes back.
        expression: What it is to the library; the group `ps_d` is matched where a folder above the path is.
        last: Its last part.
    """

    include: bool
    expression: str
    last: str

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.expression)

    @cached_property
    def _sieve(self) -> Sieve:
        return Sieve.of([self])

    def matches(self, path: str) -> tuple[bool, bool]:
        """Whether it matches, and whether only through a folder above."""
        if not self._sieve.lets_through(path):
            return False, False
        found = self._compiled.search(path)
        return found is not None, found is not None and bool(found.groupdict().get("ps_d"))


def plain(line: str) -> Plain | None:
    """Reads a pattern; None for one that only the library reads."""
    found = None if len(line) > LONGEST or has_many(line) else _LINE.fullmatch(line.rstrip(" \t"))
    if found is None:
        return None
    parts = found["parts"].split("/")
    inside = len(parts) > 1 or found["below"] in ("/*", "/**")
    anywhere = found["above"] == "**/" or not (found["above"] or inside)
    expression = "^(?:.+/)?" if anywhere else "^"
    expression += "/".join(map(_translated, parts)) + _ENDS[found["below"]]
    return Plain(not found["back"], expression, parts[-1])


def _translated(part: str) -> str:
    return "".join(
        _WILD.get(piece) or (piece if piece[0] == "[" else re.escape(piece))
        for piece in _PIECES.findall(part)
    )


@dataclass(slots=True)
class Sieve:
    """What a path must have in it for any of some patterns to match: most have nothing of it."""

    names: set[str] = field(default_factory=set)
    ends: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()
    within: tuple[str, ...] = ()

    @classmethod
    def of(cls, patterns: Iterable[Plain]) -> Sieve:
        """The sieve for some patterns."""
        sieve = cls()
        for pattern in patterns:
            sieve._add(pattern.last)
        return sieve

    def _add(self, part: str) -> None:
        pieces = _PIECES.findall(part)
        literal = [piece for piece in pieces if piece[0] not in "*?["]
        if pieces == literal:
            self.names.add(part)
        elif pieces == ["*", *literal]:
            self.ends += (literal[0],)
        elif pieces == [*literal, "*"]:
            self.begins += (literal[0],)
        elif pieces[:-1] == ["*", *literal] and literal and pieces[-1][0] == "[":
            self.ends += tuple(literal[0] + one for one in pieces[-1][1:-1])
        else:
            self.within += (max(literal, key=len, default=""),)

    def lets_through(self, path: str) -> bool:
        """Whether any of the patterns may match a path below their folder."""
        parts = path.split("/")
        return (
            not self.names.isdisjoint(parts)
            or any(one in path for one in self.within)
            or (bool(self.ends) and any(part.endswith(self.ends) for part in parts))
            or (bool(self.begins) and any(part.startswith(self.begins) for part in parts))
        )
