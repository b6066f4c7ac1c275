"""Where the sources of a notebook's cells stand in its JSON, and how edits are written there.

Only what is edited changes: strings that are not touched, and all between them, keep their bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Path = tuple[str | int, ...]

_BLANK = re.compile(r"[ \t\r\n]*")
_PLAIN = re.compile(r"[^\s,\]}]+")
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_CHARACTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]",
    re.DOTALL,
)
_ESCAPED = re.compile(r"\\u(?!00[01])[0-9a-fA-F]{4}")


@dataclass(frozen=True, slots=True)
class SourceSpan:
    """A cell's source in the text of the file.

    Attributes:
        start: Where the string or the array begins.
        end: After its last character.
        strings: The string, or those of the array, each with its quotes.
        is_array: It is an array.
    """

    start: int
    end: int
    strings: tuple[tuple[int, int], ...]
    is_array: bool


def find_sources(text: str, wanted: Collection[Path]) -> dict[Path, SourceSpan]:
    """Where the values of some paths stand in a JSON document that `json.loads` takes."""
    finder = _Finder(text, wanted)
    finder.value(_BLANK.match(text, 0).end(), ())  # type: ignore[union-attr]
    return finder.found


class _Finder:
    def __init__(self, text: str, wanted: Collection[Path]) -> None:
        self._text = text
        self._wanted = frozenset(wanted)
        self._on_the_way = {path[:at] for path in wanted for at in range(len(path))}
        self.found: dict[Path, SourceSpan] = {}

    def value(self, at: int, path: Path) -> int:
        """Goes over a value; gives where it ends."""
        first = self._text[at]
        if path in self._wanted:
            return self._source(at, path)
        if first not in "[{" or path not in self._on_the_way:
            return self._skip(at)
        at = self._next(at + 1)
        index = 0
        while self._text[at] not in "]}":
            key: str | int = index
            if first == "{":
                end = self._skip(at)
                key = json.loads(self._text[at:end])
                at = self._next(end)  # the colon
            at = self._next(self.value(at, (*path, key)))
            index += 1
        return at + 1

    def _source(self, start: int, path: Path) -> int:
        strings: list[tuple[int, int]] = []
        is_array = self._text[start] == "["
        at = self._next(start + 1) if is_array else start
        while self._text[at] == '"':
            end = self._skip(at)
            strings.append((at, end))
            if not is_array:
                break
            at = self._next(end)
        end = at + 1 if is_array else strings[-1][1]
        self.found[path] = SourceSpan(start, end, tuple(strings), is_array)
        return end

    def _skip(self, at: int) -> int:
        """The end of a value that nobody asks for."""
        if self._text[at] not in '"[{':
            return _PLAIN.match(self._text, at).end()  # type: ignore[union-attr]
        depth = 0
        for token in _TOKEN.finditer(self._text, at):
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
            if depth == 0:
                return token.end()
        raise ValueError("the document ends in the middle")

    def _next(self, at: int) -> int:
        """The next thing behind blanks, and behind a comma or a colon."""
        at = _BLANK.match(self._text, at).end()  # type: ignore[union-attr]
        if self._text[at] in ",:":
            at = _BLANK.match(self._text, at + 1).end()  # type: ignore[union-attr]
        return at


def rewritten(text: str, span: SourceSpan, edits: Sequence[tuple[int, int, str]]) -> str:
    """What stands in a source's place with edits of its value made.

    Args:
        text: The document.
        span: The source.
        edits: Start, end and new text, in characters of the value, in order and apart.
    """
    if not span.is_array:
        ((start, end),) = span.strings
        places = _places(text, start, end)
        pieces: list[str] = []
        at = start
        for first, last, new in edits:
            pieces += [text[at : places[first]], _quoted(text, new)[1:-1]]
            at = places[last]
        return "".join([*pieces, text[at:end]])
    values = [json.loads(text[start:end]) for start, end in span.strings]
    return _rewritten_array(text, span, values, edits)


def characters(text: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    """Where each character of a string of the document stands, and which it is."""
    for match in _CHARACTER.finditer(text, start + 1, end - 1):
        written = match[0]
        yield match.start(), json.loads(f'"{written}"') if written[0] == "\\" else written


def _places(text: str, start: int, end: int) -> list[int]:
    """Where each character of a string begins, and where its last one ends."""
    return [match.start() for match in _CHARACTER.finditer(text, start + 1, end - 1)] + [end - 1]


def _rewritten_array(
    text: str, span: SourceSpan, values: list[str], edits: Sequence[tuple[int, int, str]]
) -> str:
    if not values:
        lines = _lines("".join(put for _, _, put in edits))
        between = ",\n" + " " * 4
        return f"[\n    {between.join(_quoted(text, line) for line in lines)}\n   ]"
    starts = [0]
    for value in values:
        starts.append(starts[-1] + len(value))
    touched = [_touched(starts, first, last) for first, last, _ in edits]
    new: list[list[str] | None] = [None] * len(values)  # None for what stays
    groups = _groups(touched)
    for low, high in groups:
        offset = starts[low]
        value = "".join(values[low : high + 1])
        done: list[str] = []
        at = 0
        for (first, last, put), (one, _) in zip(edits, touched, strict=True):
            if low <= one <= high:
                done += [value[at : first - offset], put]
                at = last - offset
        lines = _lines("".join([*done, value[at:]]))
        new[low] = [_quoted(text, line) for line in lines]
        for index in range(low + 1, high + 1):
            new[index] = []
    return _joined(text, span, new)


def _joined(text: str, span: SourceSpan, new: list[list[str] | None]) -> str:
    """The array with some of its strings replaced by others, or by none."""
    strings = span.strings
    head, tail = text[span.start : strings[0][0]], text[strings[-1][1] : span.end]
    gaps = [text[one[1] : two[0]] for one, two in pairwise(strings)]
    usual = gaps[0] if gaps else f",{head[1:] or ' '}"
    out: list[str] = []
    for index, (start, end) in enumerate(strings):
        given = new[index]
        for number, string in enumerate([text[start:end]] if given is None else given):
            if out:
                out.append(gaps[index - 1] if index and not number else usual)
            out.append(string)
    return f"{head}{''.join(out)}{tail}" if out else "[]"


def _touched(starts: list[int], first: int, last: int) -> tuple[int, int]:
    """The strings in which an edit begins and ends."""
    final = max(len(starts) - 2, 0)
    low = next((at for at in range(final + 1) if first < starts[at + 1]), final) if final else 0
    high = next((at for at in range(final + 1) if last <= starts[at + 1]), final) if final else 0
    return low, max(low, high)


def _groups(touched: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    groups: list[tuple[int, int]] = []
    for low, high in touched:
        if groups and low <= groups[-1][1]:
            groups[-1] = groups[-1][0], max(high, groups[-1][1])
        else:
            groups.append((low, high))
    return groups


def _lines(value: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", value)


def _quoted(text: str, value: str) -> str:
    """A string in the manner of the document, which escapes what is not ASCII, or does not."""
    escapes = text.isascii() and _ESCAPED.search(text) is not None
    return json.dumps(value, ensure_ascii=escapes)


def same_but(before: Any, after: Any, paths: Collection[Path]) -> bool:
    """Whether two documents differ in nothing but the values of some paths, which are overwritten."""
    for document in (before, after):
        for path in paths:
            inner = document
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = None
    return json.dumps(before) == json.dumps(after)
