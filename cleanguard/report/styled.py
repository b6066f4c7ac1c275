"""Lines of styled text that print plainly into a pipe and in colour on a terminal.

A layout is built once, as spans; rich is imported only when there is a terminal to colour.
"""

from __future__ import annotations

import os
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TextIO

from cleanguard.report.escaping import for_log


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line, with a rich style such as `bold red`."""

    text: str
    style: str = ""


Line = Sequence[Span]


def wants_colour(stream: TextIO) -> bool:
    """Whether a stream is a terminal, or the environment forces one (`FORCE_COLOR`); NO_COLOR wins."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def width_of(stream: TextIO) -> int | None:
    """The columns to wrap at; None for a pipe, where every message stays on one line."""
    if not stream.isatty():
        return None
    try:
        return max(40, os.get_terminal_size(stream.fileno()).columns)
    except (OSError, ValueError):
        return 80


def write(lines: Iterable[Line], stream: TextIO, colour: bool | None = None) -> None:
    """Print lines to a stream, coloured if it wants colour, or as `colour` says."""
    if not (wants_colour(stream) if colour is None else colour):
        for line in lines:
            stream.write(for_log("".join(span.text for span in line).rstrip()) + "\n")
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(
        file=stream, highlight=False, soft_wrap=True, force_terminal=True, no_color=False
    )
    for line in lines:
        console.print(Text.assemble(*((span.text, span.style) for span in line)))


def wrapped(head: Line, text: str, width: int | None, style: str = "") -> list[Line]:
    """A line that begins with `head` and goes on with `text`, wrapped under its first word."""
    indent = sum(columns(span.text) for span in head)
    if width is None or indent + 20 > width:
        return [[*head, Span(text, style)]]
    first, *rest = textwrap.wrap(text, width - indent, break_on_hyphens=False) or [""]
    return [
        [*head, Span(first, style)],
        *([Span(" " * indent), Span(part, style)] for part in rest),
    ]


def columns(text: str) -> int:
    """How many terminal columns a text takes: two for wide characters, none for combining ones."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
