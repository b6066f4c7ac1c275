"""The text of a script without its comments, for who looks for words in what runs."""

from __future__ import annotations

import io
import tokenize
from functools import lru_cache
from pathlib import Path


def bare_text(path: Path, text: str) -> str:
    """The text of a file, with blanks for its comments; a notebook's as it is."""
    return text if path.suffix == ".ipynb" else without_comments(text)


@lru_cache(maxsize=512)
def without_comments(text: str) -> str:
    """A script's text, with blanks in the place of each character of a comment; as it is where it is not Python."""
    if "#" not in text:
        return text
    lines = io.StringIO(text, newline="").readlines()
    try:
        for token in tokenize.generate_tokens(io.StringIO(text, newline="").readline):
            if token.type == tokenize.COMMENT:
                row, start = token.start[0] - 1, token.start[1]
                end = start + len(token.string)
                lines[row] = lines[row][:start] + " " * len(token.string) + lines[row][end:]
    except (tokenize.TokenError, SyntaxError):
        return text
    return "".join(lines)
