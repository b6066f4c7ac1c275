"""What an error of a library says, for a sentence of ours."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """The first line of an error's text; empty where it says nothing."""
    return next(iter(str(error).strip().splitlines()), "")
