"""What takes long says so on a terminal, and nowhere else."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from cleanguard.cli import progress


class Terminal(io.StringIO):
    """An error stream that is a terminal, or is none; tells when something was written."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal, self.written = terminal, threading.Event()

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        self.written.set()
        return super().write(text)


def test_a_terminal_is_told_and_left_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal(True)
    monkeypatch.setattr(sys, "stderr", stream)
    with progress.waiting("Examining", delay=0, every=0.001):
        assert stream.written.wait(60)
    assert "Examining … 0 s" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[2K")


def test_what_is_quick_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal(True)
    monkeypatch.setattr(sys, "stderr", stream)
    with progress.waiting("Examining", delay=600):
        pass
    assert stream.getvalue() == ""


def test_a_pipe_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal(False)
    monkeypatch.setattr(sys, "stderr", stream)
    before = threading.active_count()
    with progress.waiting("Examining", delay=0, every=0.001):
        assert threading.active_count() == before
    assert stream.getvalue() == ""


def test_an_error_inside_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal(True)
    monkeypatch.setattr(sys, "stderr", stream)

    def fail() -> None:
        assert stream.written.wait(60)
        raise KeyError

    with pytest.raises(KeyError), progress.waiting("Examining", delay=0, every=0.001):
        fail()
    assert stream.getvalue().endswith("\r\x1b[2K")
