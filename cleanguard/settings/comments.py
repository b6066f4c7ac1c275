"""Finds the comments of a file that speak to cleanguard, with their places in its bytes."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

MARK = re.compile(rb"#[ \t]*cleanguard[ \t]*:")
_DIRECTIVE = re.compile(r"#[ \t]*cleanguard[ \t]*:(?P<body>[^#]*)")


@dataclass(frozen=True, slots=True)
class Directive:
    """One `# cleanguard: …` within a comment.

    Attributes:
        body: What follows the colon, without surrounding blanks.
        row: 1-based line.
        column: 1-based column of its `#`, in characters.
        start: Offset of its `#` in the UTF-8 text.
        end: Offset after its last character that is not blank.
        length: Characters from its `#` to its end.
        cut: The range to delete to be rid of it.
    """

    body: str
    row: int
    column: int
    start: int
    end: int
    length: int
    cut: tuple[int, int]


def directives(text: str) -> Iterator[Directive]:
    """The directives of a source text; none where its tokens cannot be read.

    Args:
        text: Decoded source without a byte order mark.
    """
    lines = io.StringIO(text, newline="").readlines()
    offsets = [0, *accumulate(len(line.encode()) for line in lines)]
    try:
        for token in tokenize.generate_tokens(iter(lines).__next__):
            if token.type == tokenize.COMMENT:
                row, column = token.start
                line = lines[row - 1] if row <= len(lines) else ""
                yield from _within(token.string, line, row, column, offsets[row - 1])
    except (tokenize.TokenError, SyntaxError):
        return


def _within(comment: str, line: str, row: int, column: int, offset: int) -> Iterator[Directive]:
    for found in _DIRECTIVE.finditer(comment):
        start = column + found.start()
        end = start + len(found[0].rstrip())
        first, last = found.start() == 0, found.end() == len(comment)
        if first and last and not line[:column].strip():
            begin, stop = 0, len(line)  # the line has nothing else
        elif last:
            begin, stop = len(line[:start].rstrip()), column + len(comment)
        else:
            begin, stop = start, column + found.end()
        yield Directive(
            found["body"].strip(),
            row,
            start + 1,
            offset + len(line[:start].encode()),
            offset + len(line[:end].encode()),
            end - start,
            (offset + len(line[:begin].encode()), offset + len(line[:stop].encode())),
        )
