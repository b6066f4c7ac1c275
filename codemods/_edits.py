"""Edits of whole lines that leave no two blank lines behind."""

from __future__ import annotations

from collections.abc import Sequence

from cleanguard.edits import Edit, OverlapError, apply

__all__ = ["Edit", "OverlapError", "apply", "tidy"]


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
