"""Texts of exact trees: implicitly joined ones stay apart, and what stands in an f-string has its place."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from lint_rules._light.exact.nodes import (
    InexactError,
    make_name,
    make_string,
    maker,
)
from lint_rules._light.exact.room import TEXT, Room

_concatenated = maker("ConcatenatedString", "left", "right")
_formatted = maker("FormattedString", "parts")
_formatted_text = maker("FormattedStringText", "value")
_formatted_expression = maker(
    "FormattedStringExpression", "expression", "format_spec", more=("conversion",)
)

_SINGLE = re.compile(rb"[A-Za-z]{0,2}(?:" + TEXT + rb")", re.DOTALL)
_HEAD = re.compile(rb"([A-Za-z]{0,2})('''|\"\"\"|'|\")")
_NAME = re.compile(rb"[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*\Z")
_WORDS = frozenset({b"True", b"False", b"None", b"yield", b"lambda", b"await", b"not"})
_CONVERSION = re.compile(rb"[ \t]*([A-Za-z])[ \t]*(?=[:}])")
_FORMATTED = frozenset({b"f", b"fr", b"rf", b"t", b"tr", b"rt"})
_PAIRS = {ord("("): ord(")"), ord("["): ord("]"), ord("{"): ord("}")}
# Makes an expression of text that begins at an offset.
_Parse = Callable[[bytes, int], Any]


class Strings:
    """Makes the nodes of texts.

    Args:
        room: The text of the file.
        parse: Makes what stands in braces.
    """

    def __init__(self, room: Room, parse: _Parse) -> None:
        self._room, self._parse = room, parse
        self._utf8 = room.utf8

    def plain(self, value: str | bytes, begin: int, finish: int) -> Any:
        """A literal without replacement fields."""
        code = self._utf8[begin:finish]
        if _SINGLE.fullmatch(code):
            return make_string(self._room, begin, finish, value, code.decode())
        return self.joined(begin, finish)

    def joined(self, begin: int, finish: int) -> Any:
        """F-strings, and texts that stand beside each other."""
        pieces: list[Any] = []
        at = begin
        while at < finish:
            piece, at = self._piece(at)
            pieces.append(piece)
            at = self._room.code_after(at) if at < finish else at
        if at != finish and self._room.code_after(pieces[-1].finish) < finish:
            raise InexactError("an odd text")
        made = pieces.pop()
        while pieces:
            left = pieces.pop()
            made = _concatenated(self._room, left.begin, made.finish, left, made)
        return made

    def _piece(self, begin: int) -> tuple[Any, int]:
        """One literal, and where it ends."""
        head = _HEAD.match(self._utf8, begin)
        if head is None:
            raise InexactError("an odd text")
        letters, quote = head[1].lower(), head[2]
        if b"f" in letters:
            parts, end = self._parts(head.end(), quote, raw=b"r" in letters, depth=0)
            end += len(quote)
            return _formatted(self._room, begin, end, parts), end
        if b"t" in letters:
            raise InexactError("a t-string")
        found = _SINGLE.match(self._utf8, begin)
        if found is None:
            raise InexactError("an odd text")
        code = found[0].decode()
        return make_string(self._room, begin, found.end(), _value(code), code), found.end()

    def _parts(self, at: int, quote: bytes, *, raw: bool, depth: int) -> tuple[Sequence[Any], int]:
        """What an f-string or a format specification consists of, and where it ends."""
        utf8, parts = self._utf8, []
        begin = at

        def text(end: int) -> None:
            if end > begin:
                code = utf8[begin:end].decode()
                parts.append(_formatted_text(self._room, begin, end, code))

        while True:
            byte = utf8[at : at + 1]
            if not byte:
                raise InexactError("an odd text")
            if (depth == 0 and utf8.startswith(quote, at)) or (depth and byte == b"}"):
                text(at)
                return parts, at
            if byte == b"\\":
                if not raw and utf8[at + 1 : at + 3] == b"N{":
                    at = utf8.index(b"}", at) + 1
                else:  # it does not keep a brace from opening a field
                    at += 1 if utf8[at + 1 : at + 2] in (b"{", b"}") else 2
            elif byte in b"{}" and utf8[at + 1 : at + 2] == byte and not depth:
                at += 2
            elif byte == b"{":
                text(at)
                part, at = self._field(at, quote, raw=raw, depth=depth)
                parts.append(part)
                begin = at
            elif byte == b"}" or (depth and utf8.startswith(quote, at)):
                raise InexactError("an odd text")
            else:
                at += 1

    def _field(self, begin: int, quote: bytes, *, raw: bool, depth: int) -> tuple[Any, int]:
        """A replacement field, from brace to brace."""
        if depth > 1:
            raise InexactError("an odd text")
        utf8 = self._utf8
        stop = self._end_of_expression(begin + 1, quote)
        code = utf8[begin + 1 : stop]
        if utf8[stop : stop + 1] == b"=":
            raise InexactError("an f-string that tells its code")
        found = _NAME.match(code)
        if found is not None and found[1] not in _WORDS:
            start = begin + 1 + found.start(1)
            inner = make_name(self._room, start, start + len(found[1]), found[1].decode())
        else:
            inner = self._parse(code, begin + 1)
        conversion, spec = None, None
        if utf8[stop : stop + 1] == b"!":
            letter = _CONVERSION.match(utf8, stop + 1)
            if letter is None:
                raise InexactError("an odd text")
            conversion, stop = letter[1].decode(), letter.end()
        if utf8[stop : stop + 1] == b":":
            spec, stop = self._parts(stop + 1, quote, raw=raw, depth=depth + 1)
        if utf8[stop : stop + 1] != b"}":
            raise InexactError("an odd text")
        end = stop + 1
        return _formatted_expression(self._room, begin, end, inner, spec, conversion), end

    def _end_of_expression(self, at: int, quote: bytes) -> int:
        """Where the code of a field ends: at `!`, `:`, `=` or the brace."""
        utf8 = self._utf8
        waiting: list[int] = []
        while at < len(utf8):
            byte = utf8[at]
            if byte in b"'\"":
                at = self._text_inside(at, quote)
                continue
            if byte in b"#\\\r\n":
                raise InexactError("an f-string of several lines")
            if byte in _PAIRS:
                waiting.append(_PAIRS[byte])
            elif waiting and byte == waiting[-1]:
                waiting.pop()
            elif not waiting:
                two = utf8[at : at + 2]
                if byte in b":}" or (byte in b"!=" and two not in (b"!=", b"==")):
                    return at
                if two in (b"!=", b"==", b"<=", b">="):
                    at += 1
            at += 1
        raise InexactError("an odd text")

    def _text_inside(self, at: int, quote: bytes) -> int:
        """Where a text in a field ends whose quotes open at an offset."""
        utf8 = self._utf8
        if utf8[at : at + 1] == quote:
            raise InexactError("the quotes of an f-string in it")
        begin = at
        while utf8[begin - 1 : begin].isalpha():
            begin -= 1
        if utf8[begin:at].lower() in _FORMATTED:
            return int(self._piece(begin)[1])
        found = _SINGLE.match(utf8, at)
        if found is None:
            raise InexactError("an odd text")
        return found.end()


def _value(code: str) -> str | bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: str | bytes = ast.literal_eval(code)
    return found
