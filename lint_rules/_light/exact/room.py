"""The text that an exact tree stands in: where lines begin, what is between the code, which parentheses match."""

from __future__ import annotations

import keyword
import re
from functools import cached_property

from lint_rules._light.exact.nodes import InexactError
from lint_rules._light.rows import Rows

_TRIVIA = re.compile(rb"(?:[ \t\r\n;]|\\(?=[\r\n])|\#[^\r\n]*)*")
_NEWLINE = re.compile(r"\r\n?|\n")
# A text in quotes; the letters before it are told apart by who asks.
TEXT = (
    rb"'''(?:[^'\\]|\\.|'(?!''))*'''"
    rb'|"""(?:[^"\\]|\\.|"(?!""))*"""'
    rb"|'(?:[^'\\\r\n]|\\\r\n|\\.)*'"
    rb'|"(?:[^"\\\r\n]|\\\r\n|\\.)*"'
)
_BRACKETS = re.compile(rb"[()]|\#[^\r\n]*|" + TEXT, re.DOTALL)
# What is called, or defined, stands right before its parenthesis.
_CALLED = re.compile(rb"([^\W]+|[)\]}\"'])(?:[ \t]|\\\r?\n)*\Z")
_WORD = re.compile(rb"[A-Za-z]+\Z")
_VALUES = frozenset({"True", "False", "None"})
_FAR = 200


class Room:
    """A text and where things stand in it.

    Args:
        text: As the interpreter reads it.

    Attributes:
        utf8: Its bytes.
        lines: Where each line begins.
        newline: How lines end, as libcst says it.
    """

    def __init__(self, text: str) -> None:
        self.rows = Rows(text)
        self.utf8 = self.rows.utf8
        self.lines = self.rows.starts
        found = _NEWLINE.search(text)
        self.newline = found[0] if found else "\n"

    def code_after(self, offset: int) -> int:
        """Where the next code stands: behind blanks, comments, line ends and semicolons."""
        found = _TRIVIA.match(self.utf8, offset)
        return found.end() if found else offset

    def word_after(self, offset: int, word: bytes) -> int:
        """Where a keyword stands that must be next.

        Raises:
            InexactError: It is not.
        """
        found = self.code_after(offset)
        if not self.utf8.startswith(word, found):
            raise InexactError(f"no {word.decode()}")
        return found

    @cached_property
    def _opened(self) -> dict[int, int]:
        """For each closing parenthesis the one that it closes."""
        found: dict[int, int] = {}
        waiting: list[int] = []
        for match in _BRACKETS.finditer(self.utf8):
            if match[0] == b"(":
                waiting.append(match.start())
            elif match[0] == b")":
                if not waiting:
                    raise InexactError("parentheses in an odd text")
                found[match.start()] = waiting.pop()
        if waiting:
            raise InexactError("parentheses in an odd text")
        return found

    def closes(self, close: int, begin: int) -> bool:
        """Whether a parenthesis closes the one at an offset."""
        return self._opened.get(close) == begin

    def parentheses(self, begin: int, finish: int) -> list[int]:
        """Where the parentheses open that only group what stands between two offsets, from the outside in."""
        if begin < 0:
            raise InexactError("parentheses of something without a place")
        found: list[int] = []
        while True:
            close = self.code_after(finish)
            opened = self._opened.get(close)
            if opened is None and self.utf8[close : close + 1] == b")":
                raise InexactError("parentheses in an f-string")
            if opened is None or self.code_after(opened + 1) != begin or self._is_call(opened):
                return found[::-1]
            found.append(opened)
            begin, finish = opened, close + 1

    def around(self, begin: int, finish: int) -> tuple[int, int]:
        """Both ends, with the parentheses that only group."""
        opened = self.parentheses(begin, finish)
        for _ in opened:
            finish = self.code_after(finish) + 1
        return (opened[0] if opened else begin), finish

    def is_keyword_before(self, offset: int) -> bool:
        """Whether a keyword ends right before an offset."""
        found = _WORD.search(self.utf8, max(offset - _FAR, 0), offset)
        return found is not None and keyword.iskeyword(found[0].decode("ascii", errors="replace"))

    def _is_call(self, opened: int) -> bool:
        found = _CALLED.search(self.utf8, max(opened - _FAR, 0), opened)
        if found is None:
            return False
        word = found[1].decode("utf-8", errors="replace")
        return not keyword.iskeyword(word) or word in _VALUES
