"""Writes suppression comments: which edits put a reason at every finding of a file."""

from __future__ import annotations

import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from cleanguard.catalogue.findings import Finding
from cleanguard.catalogue.hazards import UNREADABLE, UNUSED_SUPPRESSION
from cleanguard.editing.edits import Edit
from cleanguard.errors import JobError
from cleanguard.settings.comments import directives
from cleanguard.settings.suppressions import LINE, Suppression, read_comment

_NEVER = frozenset({UNREADABLE.code, UNUSED_SUPPRESSION.code})


@dataclass(frozen=True, slots=True)
class Ignored:
    """What is to be written into a file.

    Attributes:
        edits: Of its UTF-8 text without a byte order mark.
        covered: The findings that the comments suppress.
        left: Those that no comment can: no line of them takes one, or their code cannot be suppressed.
    """

    edits: tuple[Edit, ...]
    covered: tuple[Finding, ...]
    left: tuple[Finding, ...]


def check_reason(reason: str) -> str:
    """A reason as it is written.

    Raises:
        JobError: It is none, or would end the comment.
    """
    if not re.search(r"\w", reason) or "#" in reason or not reason.isprintable():
        raise JobError(
            f"--add-ignore: {reason!r} is no reason; say in one line, without `#`, why the findings are right"
        )
    return reason.strip()


def ignored(
    text: str, findings: Iterable[Finding], reason: str, *, closed: Collection[int] = ()
) -> Ignored:
    """The comments that suppress findings of a file.

    Args:
        text: Decoded source without a byte order mark.
        findings: Of this file.
        reason: From `check_reason`.
        closed: Rows that take no comment, as those of a notebook's magics.
    """
    lines = io.StringIO(text, newline="").readlines()
    open_rows = _rows_with_an_end(lines).difference(closed)
    rows: dict[int, list[str]] = defaultdict(list)
    covered: list[Finding] = []
    left: list[Finding] = []
    for finding in findings:
        candidates = (finding.location.row, finding.end_location.row)
        row = next((row for row in candidates if row in open_rows), None)
        if row is None or finding.code in _NEVER:
            left.append(finding)
            continue
        covered.append(finding)
        if finding.code not in rows[row]:
            rows[row].append(finding.code)
    offsets = [0, *accumulate(len(line.encode()) for line in lines)]
    there = _comments(text)
    edits = [
        _edit(codes, reason, lines[row - 1], offsets[row - 1], there.get(row))
        for row, codes in rows.items()
    ]
    return Ignored(tuple(sorted(edits)), tuple(covered), tuple(left))


def _edit(
    codes: Sequence[str], reason: str, line: str, offset: int, there: Suppression | None
) -> Edit:
    if there is not None:  # its reason stays
        every = ", ".join(dict.fromkeys((*there.codes, *codes)))
        text = f"# cleanguard: {LINE}[{every}] {there.reason or reason}"
        return Edit(there.directive.start, there.directive.end, text)
    end = offset + len(line.rstrip().encode())
    return Edit(end, end, f"  # cleanguard: {LINE}[{', '.join(codes)}] {reason}")


def _comments(text: str) -> dict[int, Suppression]:
    found = [read_comment(directive) for directive in directives(text)]
    return {
        comment.directive.row: comment
        for comment in found
        if isinstance(comment, Suppression) and comment.kind == LINE
    }


def _rows_with_an_end(lines: Sequence[str]) -> frozenset[int]:
    """The rows at whose end a comment can stand: not within a string, not before a continuation."""
    rows: set[int] = set()
    try:
        for token in tokenize.generate_tokens(iter(lines).__next__):
            if token.type in (tokenize.NEWLINE, tokenize.NL):
                rows.add(token.start[0])
    except (tokenize.TokenError, SyntaxError):
        pass
    return frozenset(rows)
