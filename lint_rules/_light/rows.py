"""Rows and columns of a text, for offsets and for places that the interpreter gives."""

from __future__ import annotations

import re
from bisect import bisect_right

from cleanguard.catalogue.findings import Position

_NEWLINE = re.compile(rb"\r\n|\r|\n")


class Rows:
    """The lines of a text in its UTF-8 form, without a byte order mark."""

    def __init__(self, text: str) -> None:
        self.utf8 = text.encode("utf-8")
        self.starts = [0, *(match.end() for match in _NEWLINE.finditer(self.utf8))]

    def position(self, offset: int) -> Position:
        """Row and column (in characters) of an offset in bytes."""
        return self._at(bisect_right(self.starts, offset), offset)

    def in_row(self, row: int, offset: int) -> Position:
        """Row and column (in characters) of an offset in bytes in a row, counted from 1."""
        return self._at(row, self.starts[row - 1] + offset)

    def _at(self, row: int, offset: int) -> Position:
        before = self.utf8[self.starts[row - 1] : offset]
        return Position(row, len(before.decode("utf-8", errors="replace")) + 1)
