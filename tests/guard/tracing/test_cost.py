"""What a trace costs, counted: at most a twentieth more calls, and no operator on a decoding step."""

from __future__ import annotations

from typing import Any

import pytest

import guard
from benchmarks._counts import counts


@pytest.mark.parametrize("steps", [1, 2, pytest.param(32, marks=pytest.mark.slow)])
def test_generate_makes_at_most_a_twentieth_more_calls(qwen: tuple[Any, Any], steps: int) -> None:
    model, tokenizer = qwen
    batch = tokenizer(["2 plus 2 is", "3 plus 1 is"], return_tensors="pt", padding=True)

    def work() -> Any:
        return model.generate(**batch, max_new_tokens=steps, min_new_tokens=steps)

    work()
    plain = counts(work)
    with guard.traced():
        tokenizer(["2 plus 2 is", "3 plus 1 is"], return_tensors="pt", padding=True)
        for _ in range(2):  # a tokenizer is measured once, and a line of the person's read once
            watched = counts(work)

    assert watched["function calls"] <= 1.05 * plain["function calls"]
    reading, looking = 2 * 6, 6
    most = reading + looking
    assert watched["operators"] - plain["operators"] <= most, "a prompt's, for any steps"
