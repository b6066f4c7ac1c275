"""Settings and numbers that would reach a text without a record: refused at the call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import GenerationConfig

from guard import CleanModelLoader, Loaded, provenance_of
from guard.errors import BrokenModelError, SettingsError

PROMPTS = ["A dog", "The capital of France is", "3 plus 4 is", "cat " * 12 + "and"]
complete, generate = CleanModelLoader.complete, CleanModelLoader.generate


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("suppress_tokens", [319]),
        ("begin_suppress_tokens", [319]),
        ("bad_words_ids", [[319]]),
        ("sequence_bias", [[[319], -10.0]]),
        ("encoder_repetition_penalty", 2.0),
        ("exponential_decay_length_penalty", (2, 1.5)),
        ("forced_eos_token_id", 0),
        ("forced_bos_token_id", 5),
        ("max_time", 0.001),
        ("stop_strings", ["e"]),
        ("min_length", 30),
        ("min_new_tokens", 5),
        ("typical_p", 0.5),
        ("guidance_scale", 2.0),
        ("renormalize_logits", True),
        ("remove_invalid_values", True),
        ("cache_implementation", "static"),
        ("prompt_lookup_num_tokens", 3),
        ("do_sample", True),
        ("repetition_penalty", 1.3),
        ("num_beams", 3),
    ],
)
def test_a_setting_put_into_the_models_config_is_refused(
    fresh: Loaded, name: str, value: Any
) -> None:
    model, tokenizer, _ = fresh
    wanted = generate(model, tokenizer, PROMPTS[0], max_new_tokens=6)
    setattr(model.generation_config, name, value)
    for call in (generate, CleanModelLoader.stream):
        with pytest.raises(SettingsError, match=f"changed after the load: .*{name}"):
            call(model, tokenizer, PROMPTS[0], max_new_tokens=6)
    setattr(model.generation_config, name, fresh.provenance.generation.effective.get(name))
    assert generate(model, tokenizer, PROMPTS[0], max_new_tokens=6) == wanted


@pytest.mark.parametrize("name", ["temperature", "top_p", "repetition_penalty", "num_beams"])
def test_a_setting_that_is_unset_is_none(fresh: Loaded, name: str) -> None:
    model, tokenizer, _ = fresh
    wanted = generate(model, tokenizer, PROMPTS[0], max_new_tokens=6)
    setattr(model.generation_config, name, None)
    assert generate(model, tokenizer, PROMPTS[0], max_new_tokens=6) == wanted


def test_another_config_in_its_place_is_refused(fresh: Loaded) -> None:
    model, tokenizer, _ = fresh
    model.generation_config = GenerationConfig(do_sample=True, temperature=0.7)
    with pytest.raises(SettingsError, match=r"do_sample=True, .*temperature=0\.7"):
        generate(model, tokenizer, PROMPTS[0], max_new_tokens=6)
    model.generation_config = None
    with pytest.raises(SettingsError, match="taken away"):
        generate(model, tokenizer, PROMPTS[0], max_new_tokens=6)


def test_other_ends_are_followed_and_noted_once(fresh: Loaded) -> None:
    model, tokenizer, _ = fresh
    ids = complete(model, tokenizer, [PROMPTS[0]], max_new_tokens=6)[0].ids
    model.generation_config.eos_token_id = [0, ids[1]]
    for _ in range(2):
        [done] = complete(model, tokenizer, [PROMPTS[0]], max_new_tokens=6)
    assert (done.ids, done.finish_reason) == (ids[:2], "eos")
    [event] = provenance_of(model).events
    assert (event.kind, event.code) == ("generation-config-changed", "CG303")
    assert event.detail == {"eos_token_id": [0, ids[1]]}


def test_the_real_limit_of_beams_is_named(tiny: Loaded) -> None:
    with pytest.raises(SettingsError, match="a search with 2 beams ends with 2 texts") as caught:
        generate(
            tiny.model, tiny.tokenizer, "A dog", max_new_tokens=3,
            num_beams=2, num_return_sequences=3,
        )  # fmt: skip
    assert "num_beams=3 or more" in caught.value.remedy
    with pytest.raises(SettingsError, match="greedy call are the same text"):
        generate(tiny.model, tiny.tokenizer, "A dog", max_new_tokens=3, num_return_sequences=3)
    found = generate(
        tiny.model, tiny.tokenizer, "A dog", max_new_tokens=3, num_beams=3, num_return_sequences=3
    )
    assert len(found) == 3


class OldPenalty:
    """The penalty as transformers had it before 5.23: whatever stands in the row is penalised."""

    def __init__(self, penalty: float) -> None:
        self.penalty = penalty

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        found = torch.gather(scores, 1, ids)
        found = torch.where(found < 0, found * self.penalty, found / self.penalty)
        return scores.scatter(1, ids, found)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"repetition_penalty": 1.8}, id="penalty"),
        pytest.param({"no_repeat_ngram_size": 1}, id="ngram"),
        pytest.param({"repetition_penalty": 1.3, "no_repeat_ngram_size": 2}, id="both"),
        pytest.param({"repetition_penalty": 1.5, "temperature": 1.0, "seed": 3}, id="sampled"),
        pytest.param({"repetition_penalty": 1.5, "num_beams": 3}, id="beams"),
    ],
)
@pytest.mark.parametrize("version", ["installed", "old"])
def test_padding_is_not_penalised(
    fresh: Loaded, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], version: str
) -> None:
    if version == "old":
        monkeypatch.setattr(transformers, "RepetitionPenaltyLogitsProcessor", OldPenalty)
    model, tokenizer, _ = fresh
    assert model.generation_config.pad_token_id == model.generation_config.eos_token_id
    alone = [complete(model, tokenizer, [p], max_new_tokens=12, **options)[0].ids for p in PROMPTS]
    together = complete(model, tokenizer, PROMPTS, max_new_tokens=12, **options)
    assert [done.ids for done in together] == alone


def test_the_penalty_is_that_of_transformers(fresh: Loaded, raw: tuple[Any, Any]) -> None:
    model, tokenizer, _ = fresh
    plain, _ = raw
    ids = torch.tensor([CleanModelLoader.encode(tokenizer, PROMPTS[1])["input_ids"][0].tolist()])
    for options in ({"repetition_penalty": 1.8}, {"no_repeat_ngram_size": 2}):
        config = GenerationConfig(
            max_new_tokens=12, do_sample=False, eos_token_id=0, pad_token_id=0, **options
        )
        wanted = plain.generate(ids, generation_config=config)[0, ids.shape[1] :].tolist()
        [done] = complete(model, tokenizer, [PROMPTS[1]], max_new_tokens=12, **options)
        assert list(done.ids) == wanted[: len(done.ids)]


def spoil_weight(model: Any) -> None:
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight[3, 5] = float("nan")


def spoil_norm(model: Any) -> None:
    with torch.no_grad():
        model.model.norm.weight[0] = float("inf")


def overflow(model: Any) -> None:
    with torch.no_grad():
        model.model.layers[2].self_attn.o_proj.weight.mul_(1e38).mul_(1e3)


@pytest.mark.parametrize(
    ("spoil", "layer"),
    [
        (spoil_weight, "model.layers.1.mlp.down_proj, whose weight holds NaN"),
        (spoil_norm, "model.norm, whose weight holds NaN or infinity"),
        (overflow, "model.layers.2.self_attn.o_proj"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"temperature": 1.0, "seed": 1}, {"num_beams": 2}])
def test_scores_that_are_no_numbers_stop_at_the_first_step(
    fresh: Loaded, spoil: Callable[[Any], None], layer: str, options: dict[str, Any]
) -> None:
    model, tokenizer, _ = fresh
    spoil(model)
    with pytest.raises(BrokenModelError, match="step 1: ") as caught:
        CleanModelLoader.generate_batch(model, tokenizer, PROMPTS, max_new_tokens=5, **options)
    assert f"it begins in {layer}" in str(caught.value)


def test_an_overflow_at_a_later_step_is_told_there(fresh: Loaded) -> None:
    model, tokenizer, _ = fresh
    ids = complete(model, tokenizer, [PROMPTS[1]], max_new_tokens=4)[0].ids
    with torch.no_grad():
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())
        model.model.embed_tokens.weight[ids[1]] = float("nan")
    with pytest.raises(BrokenModelError, match=r"step 3: .* model\.embed_tokens"):
        complete(model, tokenizer, [PROMPTS[1]], max_new_tokens=4)


def test_scores_that_settings_rule_out_are_sound(tiny: Loaded, tiny_dir: Path) -> None:
    done = complete(tiny.model, tiny.tokenizer, PROMPTS, max_new_tokens=6, min_new_tokens=6)
    assert all(len(completion.ids) == 6 for completion in done)
