"""Edits of whole lines that leave no two blank lines behind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cleanguard.editing.edits import Edit, OverlapError, apply

__all__ = ["Edit", "OverlapError", "apply", "tidy", "unique"]


def tidy(utf8: bytes, edits: Sequence[Edit]) -> list[Edit]:
    """The edits, with a blank line taken along where deleting whole lines would leave two in a row.

    Deletions that follow each other become one; a comment or code between them keeps them apart.
    """
    merged: list[Edit] = []
    for edit in sorted(edits):
        last = merged[-1] if merged else None
        if last and _follows(utf8, last, edit):
            merged[-1] = Edit(last.start, edit.end)
        else:
            merged.append(edit)
    return [_without_double_blank(utf8, edit) for edit in merged]


def _follows(utf8: bytes, first: Edit, second: Edit) -> bool:
    """Whether two deletions of whole lines have nothing but blank lines between them."""
    return (
        not (first.text or second.text or utf8[first.end : second.start].strip())
        and _whole_lines(utf8, first)
        and _whole_lines(utf8, second)
    )


def _whole_lines(utf8: bytes, edit: Edit) -> bool:
    starts = edit.start == 0 or utf8[edit.start - 1 : edit.start] == b"\n"
    return starts and utf8[edit.end - 1 : edit.end] == b"\n"


def _without_double_blank(utf8: bytes, edit: Edit) -> Edit:
    """Of the blank lines before and after a deletion, the larger number stays."""
    if edit.text or not _whole_lines(utf8, edit):
        return edit
    start, before = edit.start, 0
    while start and not (line := _line_before(utf8, start)).strip():
        start, before = start - len(line), before + 1
    end, after = edit.end, 0
    while end < len(utf8) and not (line := _line_at(utf8, end)).strip():
        end, after = end + len(line), after + 1
    opens = not start or _line_before(utf8, start).strip().endswith((b":", b'"""'))
    if opens or 0 < after <= before:
        return Edit(edit.start, end)
    return Edit(start, edit.end) if before and (after or end == len(utf8)) else edit


def _line_before(utf8: bytes, end: int) -> bytes:
    return utf8[utf8.rfind(b"\n", 0, end - 1) + 1 : end]


def _line_at(utf8: bytes, start: int) -> bytes:
    return utf8[start : utf8.find(b"\n", start) + 1 or len(utf8)]


def unique(edits: Iterable[Edit]) -> list[Edit]:
    """Every edit once, without those inside a larger one."""
    ordered = sorted(set(edits), key=lambda edit: (edit.start, -edit.end))
    kept: list[Edit] = []
    for edit in ordered:
        if kept and edit.end <= kept[-1].end and edit.start < kept[-1].end:
            continue
        kept.append(edit)
    return kept
