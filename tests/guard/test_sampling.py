from __future__ import annotations

import torch

from guard.sampling import SeededSampling, record_seed
from guard.settings import settle


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
