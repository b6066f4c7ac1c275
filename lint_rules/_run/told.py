"""Whether the words that matter stand in comments and texts alone, which spares making a syntax tree.

Half of the time of parsing goes into the objects of the tree. A text is looked at up to the first word that
stands in code, so this costs the least where it spares nothing.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

_LITERAL = re.compile(
    r'''(?s)\#[^\n]*
    |"""(?P<a>[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*)"""|\'\'\'(?P<b>[^'\\]*(?:(?:\\.|'(?!\'\'))[^'\\]*)*)\'\'\'
    |"(?P<c>[^"\\\n]*(?:\\.[^"\\\n]*)*)"|'(?P<d>[^'\\\n]*(?:\\.[^'\\\n]*)*)\'''',
    re.VERBOSE,
)
# From 3.12 on, what stands in the braces of an f-string may hold its own quotes again.
_NESTED = sys.version_info >= (3, 12)


def stands_in_texts_alone(text: str, places: Sequence[int], words: frozenset[str]) -> bool:
    """Whether all words stand in comments, or in texts that are none of the words themselves.

    False where that cannot be told.

    Args:
        text: Source code that parses.
        places: Where the words begin, in order; each is a whole name.
        words: The words.
    """
    if "\r" in text:
        return False
    waiting = list(reversed(places))
    for found in _LITERAL.finditer(text):
        if not waiting:
            return True
        start, end = found.span()
        if waiting[-1] < start:
            return False
        if text[start] != "#":
            formatted = _is_formatted(text, start)
            if formatted and _NESTED and _may_end_later(found[0]):
                return False
            if waiting[-1] < end and (formatted or _counts(found, words)):
                return False
        while waiting and waiting[-1] < end:
            waiting.pop()
    return not waiting


def _is_formatted(text: str, start: int) -> bool:
    """Whether the letters before a quote may make it an f-string or a t-string; they may end a keyword."""
    before = text[max(0, start - 2) : start].lower()
    return before[-1:].isalpha() and not {"f", "t"}.isdisjoint(before)


def _may_end_later(literal: str) -> bool:
    inner = literal.strip(literal[0])
    plain = inner.replace("{{", "").replace("}}", "")
    return "{" in plain and (plain.count("{") != plain.count("}") or "'" in inner or '"' in inner)


def _counts(found: re.Match[str], words: frozenset[str]) -> bool:
    """Whether a text is one of the words, or the path of something of that name; see `screen`."""
    content = found[found.lastgroup or 0]
    return content in words or "\\\n" in content or content.endswith("from_pretrained")
