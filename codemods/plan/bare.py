"""The text of a script without its comments, for who looks for words in what runs."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

# A text in quotes, which may hold the sign, or a comment. `tokenize` says the same of a script, at twelve times the
# cost.
_QUOTED_OR_REMARK = re.compile(
    r"\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''(?:[^\\]|\\.)*?'''"
    r"|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|(#[^\r\n]*)",
    re.DOTALL,
)


def bare_text(path: Path, text: str) -> str:
    """The text of a file, with blanks for its comments; a notebook's as it is."""
    return text if path.suffix == ".ipynb" else without_comments(text)


@lru_cache(maxsize=512)
def without_comments(text: str) -> str:
    """A script's text, with blanks in the place of each character of a comment."""
    return _QUOTED_OR_REMARK.sub(_blank, text) if "#" in text else text


def _blank(found: re.Match[str]) -> str:
    return found[0] if found[1] is None else " " * len(found[1])
