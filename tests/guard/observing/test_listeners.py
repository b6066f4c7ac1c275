"""Who listens: errors of a listener, what it calls itself, and several who come and go at once."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

import guard
from guard.errors import GuardWarning
from guard.observing.recorder import RECORDER


@pytest.fixture
def tokenizer(tiny_dir: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_dir)


def test_an_error_of_a_listener_is_told_at_the_end_and_not_in_the_scripts_call(
    tokenizer: Any,
) -> None:
    heard: list[Any] = []

    def listener(event: Any) -> None:
        heard.append(event)
        raise ValueError("of the listener")

    found = "failed at 2 events.*ValueError: of the listener"
    with (
        pytest.warns(GuardWarning, match=found) as told,
        guard.observe() as other,
        guard.observe(listener) as seen,
    ):
        made = [tokenizer(text)["input_ids"] for text in ("A.", "B.")]
    assert all(made)
    assert [event.kind for event in heard] == ["encode", "encode"]
    assert len(other.encodings) == 2
    (blind,) = seen.blind
    assert f"{__file__}:" in blind.what
    assert "ValueError: of the listener" in blind.what
    assert told[0].filename == __file__


def test_a_listener_that_interrupts_does(tokenizer: Any) -> None:
    def listener(_: Any) -> None:
        raise KeyboardInterrupt

    with guard.observe(listener), pytest.raises(KeyboardInterrupt):
        tokenizer("A.")
    assert not RECORDER.here.inside


def test_nothing_is_seen_of_what_a_listener_does(tokenizer: Any, tmp_path: Path) -> None:
    heard: list[str] = []

    def listener(event: Any) -> None:
        heard.append(event.kind)
        tokenizer.decode(list(event.ids[0]))
        (tmp_path / "heard.txt").write_text(event.kind)

    with guard.observe(listener), guard.observe() as other:
        tokenizer("A.")

    assert heard == ["encode"]
    assert [event.kind for event in other.events] == ["encode"]


def test_observers_in_several_threads_each_see_their_calls(tokenizer: Any) -> None:
    plain = type(tokenizer).__call__
    missed: list[int] = []
    before = sys.getswitchinterval()

    def work(barrier: threading.Barrier, number: int) -> None:
        barrier.wait()
        with guard.observe() as seen:
            tokenizer("A.")
        if not seen.encodings:
            missed.append(number)

    sys.setswitchinterval(1e-6)
    try:
        for number in range(60):
            barrier = threading.Barrier(4)
            threads = [threading.Thread(target=work, args=(barrier, number)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(before)

    assert missed == []
    assert type(tokenizer).__call__ is plain
