from __future__ import annotations

import gc
import threading
import time
import weakref
from typing import Any

import pytest

from guard import CleanModelLoader, Loaded, unguarded
from guard.errors import ContaminationError, SettingsError

PROMPTS = [
    "The capital of France is",
    "Here are three colors:",
    "Instruction: Name the capital of Japan.\nResponse:",
    "naïve ✓ 😀",
]
stream, generate = CleanModelLoader.stream, CleanModelLoader.generate


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 1.5, "seed": 3},
        {"stop_strings": [".", "e"]},
        {"return_full_text": True},
        {"skip_special_tokens": False},
        {"repetition_penalty": 1.3},
    ],
    ids=str,
)
def test_pieces_make_up_the_text_of_generate(tiny: Loaded, options: dict[str, Any]) -> None:
    for prompt in PROMPTS:
        pieces = stream(tiny.model, tiny.tokenizer, prompt, max_new_tokens=20, **options)
        found = list(pieces)
        assert "".join(found) == generate(
            tiny.model, tiny.tokenizer, prompt, max_new_tokens=20, **options
        )
        assert all(found)
        assert pieces.completion is not None
        assert pieces.completion.text == "".join(found)


def test_characters_of_several_tokens_come_whole(tiny: Loaded) -> None:
    """At a high temperature the model writes bytes that make up, or break, longer characters."""
    wild = {"max_new_tokens": 120, "temperature": 30.0, "seed": 1}
    for prompt in PROMPTS:
        found = list(stream(tiny.model, tiny.tokenizer, prompt, **wild))
        assert "".join(found) == generate(tiny.model, tiny.tokenizer, prompt, **wild)


def test_pieces_come_while_the_model_is_still_at_work(fresh: Loaded) -> None:
    gate = threading.Event()
    steps = 0

    def wait(*_: Any) -> None:
        nonlocal steps
        steps += 1
        if steps > 4:
            gate.wait(10)

    # What is tried of a model once must not count as steps.
    generate(fresh.model, fresh.tokenizer, PROMPTS[1], max_new_tokens=2)
    fresh.model.lm_head.register_forward_hook(wait)
    pieces = stream(fresh.model, fresh.tokenizer, PROMPTS[1], max_new_tokens=12)
    first = next(pieces)
    assert first
    assert pieces.completion is None
    gate.set()
    assert first + "".join(pieces) == generate(
        fresh.model, fresh.tokenizer, PROMPTS[1], max_new_tokens=12
    )


def test_leaving_early_stops_the_model(fresh: Loaded) -> None:
    steps = []
    fresh.model.lm_head.register_forward_hook(lambda *_: steps.append(time.sleep(0.01)))
    with stream(fresh.model, fresh.tokenizer, PROMPTS[1], max_new_tokens=400) as pieces:
        next(pieces)
    assert len(steps) < 100
    assert list(pieces) == []
    assert pieces.completion is None
    dropped = stream(fresh.model, fresh.tokenizer, PROMPTS[1], max_new_tokens=400)
    thread = dropped._thread
    next(dropped)
    del dropped
    thread.join(5)
    assert not thread.is_alive()


def test_errors_come_out_where_they_are_read(fresh: Loaded) -> None:
    with pytest.raises(ContaminationError):
        stream(fresh.model, fresh.tokenizer, "<|im_start|>user", max_new_tokens=4)
    with pytest.raises(SettingsError, match="beams"):
        stream(fresh.model, fresh.tokenizer, "A dog", max_new_tokens=4, num_beams=2)
    with pytest.raises(SettingsError, match="generate_batch"):
        stream(fresh.model, fresh.tokenizer, ["A dog", "A cat"], max_new_tokens=4)

    def fail(*_: Any) -> None:
        raise RuntimeError("in the middle")

    handle = fresh.model.lm_head.register_forward_hook(fail)
    pieces = stream(fresh.model, fresh.tokenizer, "A dog", max_new_tokens=4)
    with pytest.raises(RuntimeError, match="in the middle"):
        next(pieces)
    assert list(pieces) == []
    handle.remove()
    assert list(stream(fresh.model, fresh.tokenizer, "A dog", max_new_tokens=4))


def test_an_unguarded_block_holds_for_the_stream(fresh: Loaded) -> None:
    with unguarded(fresh.model, reason="to see"):
        pieces = stream(fresh.model, fresh.tokenizer, "<|im_start|>user\nhi", max_new_tokens=4)
        assert "".join(pieces) is not None


class Large:
    """Stands for a tensor."""


def test_an_exception_that_is_caught_is_gone(fresh: Loaded) -> None:
    """It comes from another thread and is raised again here: a cycle would keep every tensor of the call."""
    held: list[weakref.ref[Large]] = []

    def full(*_: Any) -> None:
        large = Large()
        held.append(weakref.ref(large))
        raise ValueError("full")

    fresh.model.register_forward_pre_hook(full)
    gc.collect()
    gc.disable()
    try:
        pieces = stream(fresh.model, fresh.tokenizer, PROMPTS[0], max_new_tokens=2)
        with pytest.raises(ValueError, match="full"):
            next(pieces)
        pieces.close()
        assert held[0]() is None
    finally:
        gc.enable()
