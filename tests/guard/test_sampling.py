from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from guard import CleanModelLoader, Loaded
from guard.jobs import make_jobs
from guard.sampling import SeededSampling, record_seed
from guard.settings import settle
from guard.state import state_of


def test_noise_draws_from_the_softmax() -> None:
    torch.manual_seed(0)
    scores, rows = torch.randn(50), 20_000
    noise = SeededSampling(
        range(rows), settle("t", {"max_new_tokens": 1, "temperature": 1.0}), "cpu"
    )
    drawn = torch.bincount(noise(None, scores.expand(rows, 50)).argmax(-1), minlength=50) / rows
    assert float((drawn - scores.softmax(-1)).abs().sum() / 2) < 0.03


def test_cuts_hold() -> None:
    scores = torch.arange(10.0).expand(500, 10)
    settings = settle("t", {"max_new_tokens": 1, "temperature": 5.0, "top_k": 2})
    noise = SeededSampling(range(500), settings, "cpu")
    assert set(noise(None, scores).argmax(-1).tolist()) == {8, 9}


def test_top_k_is_off_unless_given() -> None:
    assert settle("t", {"max_new_tokens": 1, "do_sample": True}).top_k is None


def test_record_seed_depends_on_each_part() -> None:
    seeds = {
        record_seed(0, [1], 0),
        record_seed(1, [1], 0),
        record_seed(0, [2], 0),
        record_seed(0, [1], 1),
    }
    assert len(seeds) == 4
    assert record_seed(0, [1], 0) == record_seed(0, (1,), 0)


def test_256_of_256_texts_survive_batch_size_order_and_resume(tiny: Loaded) -> None:
    prompts = [f"{a} plus {b} is" for a in range(16) for b in range(16)]
    options = {"max_new_tokens": 10, "temperature": 0.8, "top_p": 0.95, "seed": 5}

    def run(asked: list[str], batch_size: int) -> dict[str, tuple[int, ...]]:
        found = CleanModelLoader.complete(
            tiny.model, tiny.tokenizer, asked, batch_size=batch_size, **options
        )
        return {prompt: done.ids for prompt, done in zip(asked, found, strict=True)}

    first = run(prompts, 64)
    shuffled = random.Random(1).sample(prompts, len(prompts))
    assert run(shuffled, 17) == first
    assert {**run(prompts[:100], 64), **run(prompts[100:], 256)} == first
    assert len(set(first.values())) > 50


def test_several_texts_of_a_prompt_survive_too(tiny: Loaded) -> None:
    def run(prompts: list[str], batch_size: int) -> list[str]:
        return CleanModelLoader.generate_batch(
            tiny.model, tiny.tokenizer, prompts, batch_size=batch_size, num_return_sequences=4,
            max_new_tokens=8, temperature=1.0, seed=2,
        )  # fmt: skip

    both = run(["Here are two animals:", "A dog"], 3)
    assert run(["A dog", "Here are two animals:"], 64) == both[4:] + both[:4]


def test_first_tokens_are_drawn_from_the_models_own_softmax(tiny: Loaded) -> None:
    """Total variation between 20,000 drawn first tokens and the model's distribution at T = 1."""
    prompt, count = "Here are two animals:", 20_000
    with torch.no_grad():
        batch = CleanModelLoader.encode(tiny.tokenizer, prompt)
        wanted = tiny.model(**batch).logits[0, -1].softmax(-1)
    found = CleanModelLoader.complete(
        tiny.model, tiny.tokenizer, [prompt], max_new_tokens=1, temperature=1.0, seed=0,
        num_return_sequences=count, batch_size=2_000,
    )  # fmt: skip
    drawn = torch.bincount(
        torch.tensor([done.ids[0] for done in found]), minlength=wanted.numel()
    ) / len(found)
    distance = float((drawn - wanted).abs().sum() / 2)
    exact = torch.multinomial(wanted, count, replacement=True)
    floor = float(
        (torch.bincount(exact, minlength=wanted.numel()) / count - wanted).abs().sum() / 2
    )
    assert distance < max(0.02, 2 * floor)


def test_threads_without_a_seed_never_share_a_draw(
    fresh: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(seed: int, row: list[int], number: int) -> int:
        time.sleep(0.001)  # another thread runs between the reading of the count and its writing
        return record_seed(seed, row, number)

    monkeypatch.setattr("guard.jobs.record_seed", slow)
    state, settings = state_of(fresh.model), settle("t", {"max_new_tokens": 1, "do_sample": True})
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda _: make_jobs(state, [[5, 6]], settings), range(64)))
    assert len({job.seed for jobs in drawn for job in jobs}) == 64
    assert [event.kind for event in state.events] == ["seed-drawn"]
