"""Edits of bytes: what is outside them stays identical, whatever the file's style."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


def tidy(utf8: bytes, edits: Sequence[Edit]) -> list[Edit]:
    """The edits, with a blank line taken along where deleting whole lines would leave two in a row.

    Deletions that follow each other become one; a comment or code between them keeps them apart.
    """
    merged: list[Edit] = []
    for edit in sorted(edits):
        last = merged[-1] if merged else None
        if last and not last.text and not edit.text and not utf8[last.end : edit.start].strip():
            between = utf8[last.end : edit.start]
            if _whole_lines(utf8, last) and _whole_lines(utf8, edit) and between.count(b"\n") <= 1:
                merged[-1] = Edit(last.start, edit.end)
                continue
        merged.append(edit)
    return [_without_double_blank(utf8, edit) for edit in merged]


def _whole_lines(utf8: bytes, edit: Edit) -> bool:
    starts = edit.start == 0 or utf8[edit.start - 1 : edit.start] == b"\n"
    return starts and utf8[edit.end - 1 : edit.end] == b"\n"


def _without_double_blank(utf8: bytes, edit: Edit) -> Edit:
    if edit.text or not _whole_lines(utf8, edit):
        return edit
    before = utf8[: edit.start].rstrip(b" \t").splitlines()
    last = before[-1].strip() if before else b""
    opens = not last or last.endswith((b":", b'"""'))
    if not opens:
        return edit
    end = edit.end
    while end < len(utf8):
        line_end = utf8.find(b"\n", end) + 1 or len(utf8)
        if utf8[end:line_end].strip():
            return Edit(edit.start, end)
        end = line_end
    return edit
