"""CG305: scores that are no numbers, told where they begin, and nothing of the run changed."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import pytest
import torch

import guard
from cleanguard.settings.config import Settings
from guard.base.finiteness import broken_rows
from guard.base.replica import replica_of
from tests.guard.tracing.conftest import Codes

Pair = tuple[Any, Any]
ONLY = Settings(select=("CG305",))


def spoil(model: Any, value: float = float("nan")) -> None:
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[0, 0] = value


@pytest.mark.parametrize("road", ["generate", "sampled", "call", "batch"])
def test_a_broken_layer_is_named_on_every_road(qwen: Pair, road: str) -> None:
    model, tokenizer = qwen
    spoil(model)
    texts = ["A plain text.", "Another one, longer than that."][: 2 if road == "batch" else 1]
    batch = tokenizer(texts, return_tensors="pt", padding=True)
    state = torch.get_rng_state()
    with guard.traced(ONLY) as run:
        if road == "call":
            model(**batch)
        else:
            model.generate(**batch, max_new_tokens=3, do_sample=False)
    assert torch.equal(torch.get_rng_state(), state)
    (found,) = run.findings
    assert found.code == "CG305"
    assert found.severity == "error"
    assert "it begins in model.layers.1.mlp.up_proj, whose weight holds NaN" in found.message
    assert len(run.seen.broken) == 1
    assert run.seen.broken[0].rows == len(texts)


class Counts(torch.nn.Module):
    """Draws, counts in an attribute, a list and a buffer, as a module of a script's own may."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.log = 0, []
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.log.append(self.calls)
        self.seen += 1
        return given + torch.rand(1) * 0 + random.random() * 0  # type: ignore[no-any-return]


def test_the_second_look_changes_nothing_of_the_model_and_draws_nothing(qwen: Pair) -> None:
    model, tokenizer = qwen
    spoil(model)
    counts, hooked = Counts(), []
    model.model.layers[0].mlp = torch.nn.Sequential(
        model.model.layers[0].mlp, torch.nn.Dropout(0.5).train(), counts
    )
    model.model.layers[0].mlp[1].train()
    model.model.layers[1].register_forward_hook(lambda *_: hooked.append(1))
    batch = tokenizer("A plain text.", return_tensors="pt")

    def work() -> tuple[Any, ...]:
        torch.manual_seed(1)
        random.seed(1)
        model(**batch)
        return torch.rand(1).item(), random.random()

    plain = work()
    with guard.observe() as seen:
        watched = work()

    assert seen.broken[0].layer == "model.layers.1.mlp.up_proj"
    assert watched == plain
    assert (counts.calls, counts.log, counts.seen.item()) == (2, [1, 2], 2.0)
    assert len(hooked) == 2


def test_a_replica_computes_what_its_model_does(qwen: Pair) -> None:
    model, tokenizer = qwen
    batch = tokenizer("A plain text.", return_tensors="pt")
    # As accelerate does it: a forward of the object's own, which is bound to it.
    layer = model.model.layers[0]
    layer.old_forward = layer.forward
    layer.forward = partial(lambda module, *args, **more: module.old_forward(*args, **more), layer)
    replica = replica_of(model)
    reached: list[Any] = []
    replica.model.layers[0].mlp.register_forward_hook(lambda module, *_: reached.append(module))

    assert torch.equal(replica(**batch).logits, model(**batch).logits)
    assert reached == [replica.model.layers[0].mlp]
    assert replica.lm_head.weight is model.lm_head.weight
    assert not model.model.layers[0].mlp._forward_hooks


def test_a_model_that_cannot_be_run_again_is_told_without_a_layer(
    qwen: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokenizer = qwen
    spoil(model)
    batch = tokenizer("A plain text.", return_tensors="pt")
    monkeypatch.setattr("guard.base.finiteness.replica_of", lambda _: 1 / 0)
    with guard.traced(ONLY) as run:
        model(**batch)
    (found,) = run.findings
    assert "could not be looked through (ZeroDivisionError)" in found.message
    monkeypatch.setattr("guard.base.finiteness._runs_in_parts", lambda: True)
    with guard.traced(ONLY) as run:
        model(**batch)
    (found,) = run.findings
    assert "several processes" in found.message


def test_a_pass_that_goes_on_from_a_cache_is_told_without_a_layer(qwen: Pair) -> None:
    model, tokenizer = qwen
    ids = tokenizer("A plain text of some length.", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        cache = model(ids[:, :2], use_cache=True).past_key_values
    spoil(model)
    with guard.traced(ONLY) as run:
        model(ids[:, 2:], past_key_values=cache)
    (found,) = run.findings
    assert "the pass goes on from a cache" in found.message


def test_greedy_search_takes_the_first_token_of_them(qwen: Pair) -> None:
    model, tokenizer = qwen
    spoil(model)
    batch = tokenizer(["A plain text.", "Another."], return_tensors="pt", padding=True)
    made = model.generate(**batch, max_new_tokens=4, eos_token_id=[], do_sample=False)
    assert made[:, batch["input_ids"].shape[1] :].unique().tolist() == [0]


def test_scores_that_are_numbers_are_not_told(qwen: Pair, codes: Codes) -> None:
    model, tokenizer = qwen
    batch = tokenizer("A plain text.", return_tensors="pt")
    assert codes(lambda: model.generate(**batch, max_new_tokens=3), select=("CG305",)) == []
    model.train()
    spoil(model)  # a step of training has a loss of its own to say so
    assert codes(lambda: model(**batch, labels=batch["input_ids"]), select=("CG305",)) == []


def test_what_is_ruled_out_is_no_fault() -> None:
    scores = torch.tensor([[0.0, -float("inf")], [float("inf"), 0.0], [float("nan"), 0.0]])
    assert broken_rows(scores) == 2
    assert broken_rows(scores[:1]) == 0
    assert broken_rows(scores[:0]) == 0
