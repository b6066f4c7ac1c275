from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from guard import CleanModelLoader, Loaded
from guard.prompts.state import state_of
from guard.settings.jobs import make_jobs
from guard.settings.sampling import SeededSampling, record_seed
from guard.settings.settled import settle


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


@pytest.mark.parametrize("temperature", [1e-10, 1e-37, 1e-40, 1e-60, 5e-324])
def test_the_lowest_temperatures_are_greedy(tiny: Loaded, temperature: float) -> None:
    prompts = ["3 plus 4 is", "Here are two animals:", "A dog"]
    options = {"max_new_tokens": 12}
    greedy = CleanModelLoader.generate_batch(tiny.model, tiny.tokenizer, prompts, **options)
    for more in ({}, {"top_p": 0.9}, {"top_k": 5}, {"min_p": 0.1}):
        found = CleanModelLoader.generate_batch(
            tiny.model, tiny.tokenizer, prompts, temperature=temperature, seed=1, **options, **more
        )
        assert found == greedy
    assert all(greedy)


@pytest.mark.parametrize("temperature", [1e-40, 5e-324])
@pytest.mark.parametrize("top", [5.0, 0.0, -5.0])
def test_the_best_of_any_sign_is_drawn_and_what_is_barred_never(
    temperature: float, top: float
) -> None:
    scores = torch.tensor([[top - 3, top, top - 1e-4, -torch.inf, top - 1e6]]).expand(64, 5)
    settings = settle("t", {"max_new_tokens": 1, "temperature": temperature})
    found = SeededSampling(range(64), settings, "cpu")(None, scores)
    assert set(found.argmax(-1).tolist()) == {1}
    assert not found.isnan().any()


@pytest.mark.parametrize("temperature", [1e-36, 1e-7, 1e-3, 0.7, 1.0, 3.0])
def test_rows_that_do_not_overflow_are_divided_as_ever(temperature: float) -> None:
    torch.manual_seed(0)
    scores = torch.randn(8, 50)
    scores[:, 3], scores[0, 5] = -torch.inf, torch.finfo(torch.float32).min
    scores[7] *= 1e4
    settings = settle("t", {"max_new_tokens": 1, "temperature": temperature})
    found = SeededSampling(range(8), settings, "cpu")(None, scores)
    noise = [
        torch.rand(50, generator=torch.Generator().manual_seed(seed)).clamp_(1e-20, 1 - 1e-7)
        for seed in range(8)
    ]
    plain = scores / temperature - torch.log(-torch.log(torch.stack(noise)))
    whole = plain.amax(-1).isfinite()
    assert bool(whole[:7].all())
    assert torch.equal(found[whole], plain[whole])


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

    monkeypatch.setattr("guard.settings.jobs.record_seed", slow)
    state, settings = state_of(fresh.model), settle("t", {"max_new_tokens": 1, "do_sample": True})
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda _: make_jobs(state, [[5, 6]], settings), range(64)))
    assert len({job.seed for jobs in drawn for job in jobs}) == 64
    assert [event.kind for event in state.events] == ["seed-drawn"]
