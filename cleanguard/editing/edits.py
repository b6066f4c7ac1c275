"""Edits of bytes: what is outside them stays identical, whatever the file's style."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replaces the half-open byte range `start:end` of the UTF-8 text."""

    start: int
    end: int
    text: str = ""

    def covers(self, offset: int) -> bool:
        """Whether an offset lies inside the replaced range."""
        return self.start <= offset < self.end


class OverlapError(Exception):
    """Two edits touch the same bytes: a defect of the plan, never applied."""


def apply(utf8: bytes, edits: Iterable[Edit]) -> bytes:
    """The text with all edits made.

    Raises:
        OverlapError: Two edits overlap.
    """
    result: list[bytes] = []
    position = 0
    for edit in sorted(edits):
        if edit.start < position:
            raise OverlapError(f"edits overlap at byte {edit.start}")
        result += [utf8[position : edit.start], edit.text.encode()]
        position = edit.end
    return b"".join([*result, utf8[position:]])
