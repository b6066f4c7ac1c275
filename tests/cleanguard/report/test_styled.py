"""Colour only for a terminal, and only if it is wanted."""

from __future__ import annotations

import io

import pytest

from cleanguard.report.escaping import printable
from cleanguard.report.styled import Span, width_of, wrapped, write

LINES = [[Span("bold", "bold red"), Span(" plain ")], []]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def written(stream: io.StringIO) -> str:
    write(LINES, stream)
    return stream.getvalue()


def test_a_pipe_gets_plain_text_without_trailing_blanks() -> None:
    assert written(io.StringIO()) == "bold plain\n\n"


def test_a_terminal_gets_colour() -> None:
    assert "\x1b[1;31mbold" in written(Terminal())


def test_no_colour_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "31" not in written(Terminal())


def test_colour_can_be_forced_into_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in written(io.StringIO())


def test_the_same_text_either_way() -> None:
    import re

    coloured = re.sub(r"\x1b\[[0-9;]*m", "", written(Terminal()))
    assert [line.rstrip() for line in coloured.splitlines()] == written(io.StringIO()).splitlines()


def test_width() -> None:
    assert width_of(io.StringIO()) is None
    assert width_of(Terminal()) == 80


def test_text_wraps_under_its_first_word() -> None:
    lines = wrapped([Span("head: ")], "one two three four five six seven eight nine", 30)
    assert ["".join(span.text for span in line) for line in lines] == [
        "head: one two three four five",
        "      six seven eight nine",
    ]


@pytest.mark.parametrize("width", [None, 20])
def test_text_is_not_wrapped_without_room(width: int | None) -> None:
    assert wrapped([Span("head: ")], "one two three", width) == [
        [Span("head: "), Span("one two three")]
    ]


def test_no_text_is_a_line_all_the_same() -> None:
    assert wrapped([Span("head: ")], "", 80) == [[Span("head: "), Span("")]]


def test_printable_keeps_what_can_be_seen() -> None:
    assert printable("naïve 提示\tx\x00\udcff") == "naïve 提示\\tx\\x00\\udcff"
