"""The gitignore patterns that nearly all files have, without a library that has to be loaded for them.

A path is told from what it must have in it, a name or the end of one, before an expression is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from cleanguard.settings.wildcards import LONGEST, has_many

Kind = Literal["name", "end", "begin", "within"]

_NAME = r"[A-Za-z0-9_.,@+$~-]"
_SETS = r"\[[A-Za-z0-9]+\]"
# `*` stands for itself only between characters: alone, or twice, it means something else.
_ONE = rf"(?:{_NAME}|{_SETS}|\?)"
_PART = rf"(?:\*?{_ONE}+)(?:\*{_ONE}+)*\*?"
_LINE = re.compile(
    rf"(?P<back>!?)(?P<above>/|\*\*/|)(?P<parts>{_PART}(?:/(?:\*\*/)?{_PART})*)(?P<below>/\*\*|/\*|/|)"
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
        kind: Where in a path `texts` are: one of them is a part of it, or the end or the begin of a part,
            or anywhere. A path without matches nowhere.
        texts: See `kind`.
    """

    include: bool
    expression: str
    kind: Kind
    texts: tuple[str, ...]

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.expression)

    def matches(self, path: str) -> tuple[bool, bool]:
        """Whether it matches, and whether only through a folder above."""
        if not any(text in path for text in self.texts):
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
    expression += "/".join(map(_translated, parts)).replace("/**/", "(?:/.+)?/")
    return Plain(not found["back"], expression + _ENDS[found["below"]], *_needed(parts[-1]))


def _needed(part: str) -> tuple[Kind, tuple[str, ...]]:
    """What a part of a path has for a part of a pattern to match it, see `Plain`."""
    pieces = _PIECES.findall(part)
    literal = [piece for piece in pieces if piece[0] not in "*?["]
    if pieces == literal:
        return "name", (part,)
    if pieces == ["*", *literal]:
        return "end", (literal[0],)
    if pieces == [*literal, "*"]:
        return "begin", (literal[0],)
    if pieces[:-1] == ["*", *literal] and literal and pieces[-1][0] == "[":
        return "end", tuple(literal[0] + one for one in pieces[-1][1:-1])
    return "within", (max(literal, key=len, default=""),)


def _translated(part: str) -> str:
    if part == "**":
        return part
    return "".join(
        _WILD.get(piece) or (piece if piece[0] == "[" else re.escape(piece))
        for piece in _PIECES.findall(part)
    )


class Sieve:
    """What a path must have in it for any of some patterns to match: most have nothing of it."""

    def __init__(self, patterns: Iterable[Plain]) -> None:
        texts: dict[Kind, list[str]] = {"name": [], "end": [], "begin": [], "within": []}
        for pattern in patterns:
            texts[pattern.kind] += pattern.texts
        self._names = frozenset(texts["name"])
        self._ends = tuple(texts["end"])
        self._begins = tuple(texts["begin"])
        self._within = tuple(texts["within"])

    def lets_through(self, path: str) -> bool:
        """Whether any of the patterns may match a path below their folder."""
        parts = path.split("/")
        if not self._names.isdisjoint(parts):
            return True
        for text in self._within:
            if text in path:
                return True
        ends, begins = self._ends, self._begins
        return any(part.endswith(ends) or part.startswith(begins) for part in parts)
