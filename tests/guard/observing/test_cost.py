"""What watching costs, counted: calls of functions, torch's operators, waits."""

from __future__ import annotations

import copy
import gc
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import guard
from benchmarks._counts import counts
from guard.observing.values import dtype_of

STEPS = 32


@pytest.fixture(scope="module")
def pair(tiny_dir: Path) -> tuple[Any, Any]:
    model = AutoModelForCausalLM.from_pretrained(tiny_dir, dtype=torch.float32)
    return model, AutoTokenizer.from_pretrained(tiny_dir)


def counted(pair: tuple[Any, Any], new_tokens: int) -> dict[str, int]:
    model, tokenizer = pair
    batch = tokenizer(["2 plus 2 is", "3 plus 1 is"], return_tensors="pt", padding=True)

    def work() -> Any:
        return model.generate(**batch, max_new_tokens=new_tokens, min_new_tokens=new_tokens)

    work()
    return counts(work)


@pytest.mark.parametrize("steps", [1, 2, pytest.param(STEPS, marks=pytest.mark.slow)])
def test_generate_makes_at_most_a_twentieth_more_calls(pair: tuple[Any, Any], steps: int) -> None:
    plain = counted(pair, steps)
    with guard.observe():
        watched = counted(pair, steps)

    assert watched["function calls"] <= 1.05 * plain["function calls"]
    # A tensor that is read as a list resolves two views: prompt and mask for the call, prompt, mask
    # and positions for the prefill, and the output. Whether the prefill's last scores are numbers
    # takes five more: two views, a maximum, and its value.
    assert watched["operators"] - plain["operators"] <= 2 * 6 + 5


@pytest.mark.slow
def test_a_decoding_step_starts_no_operator_and_few_calls(pair: tuple[Any, Any]) -> None:
    plain = {n: counted(pair, n) for n in (STEPS, STEPS + 10)}
    with guard.observe():
        watched = {n: counted(pair, n) for n in (STEPS, STEPS + 10)}

    step = {
        name: [(side[STEPS + 10][name] - side[STEPS][name]) / 10 for side in (plain, watched)]
        for name in ("function calls", "operators")
    }
    assert step["operators"][0] == step["operators"][1]
    more = step["function calls"][1] - step["function calls"][0]
    assert more <= 8, "a look at the shape, for the model and for its decoder"


@pytest.mark.parametrize("first", [torch.float16, torch.bfloat16, torch.int8])
def test_the_dtype_is_the_models_own(pair: tuple[Any, Any], first: torch.dtype) -> None:
    """`dtype_of` finds in a few calls what `model.dtype` finds, also behind whole numbers."""
    model = copy.deepcopy(pair[0])
    embedding = model.get_input_embeddings()
    embedding.weight = torch.nn.Parameter(embedding.weight.to(first), requires_grad=False)

    assert dtype_of(model) == str(model.dtype)


def test_a_count_is_the_same_whenever_the_garbage_collector_comes() -> None:
    class Held:
        def __init__(self) -> None:
            self.own = self

        def __del__(self) -> None:
            len("called by the collector alone")

    def work() -> None:
        for _ in range(50):
            Held()

    before = gc.get_threshold()
    found = []
    try:
        for threshold in (3, 10_000):
            gc.set_threshold(threshold)
            found.append(counts(work)["function calls"])
    finally:
        gc.set_threshold(*before)
    assert found[0] == found[1]
