"""Norms of a captured step: which modules are taken for one, and that they give what the library gives."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from transformers import (
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    Qwen3Config,
    StableLmConfig,
)
from transformers.models.auto import AutoModelForCausalLM

from guard.decoding.norms import fused_norms, fusible_norms

SMALL: dict[str, Any] = {
    "hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 12, "vocab_size": 50,
}  # fmt: skip


def model_of(config: Any, dtype: torch.dtype = torch.bfloat16) -> Any:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=dtype).eval()
    with torch.no_grad():
        for name, one in model.named_parameters():
            if "norm" in name:
                one.add_(torch.randn_like(one) * 0.3)
    return model


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (LlamaConfig(**SMALL), 5),
        (Qwen3Config(**SMALL), 9),  # two of each layer are over a head
        (Gemma2Config(**SMALL), 0),  # its weight is what one is added to
        (StableLmConfig(**SMALL), 0),  # takes the mean away
        (GPT2Config(n_embd=48, n_layer=2, n_head=4, vocab_size=50), 0),
    ],
    ids=lambda one: getattr(one, "model_type", str(one)),
)
def test_what_is_such_a_norm_is_found_by_trying(config: Any, count: int) -> None:
    assert len(fusible_norms(model_of(config))) == count


def test_in_float32_all_stay_as_they_are() -> None:
    assert fusible_norms(model_of(LlamaConfig(**SMALL), torch.float32)) == []


def test_logits_stay_and_the_modules_are_as_before() -> None:
    model = model_of(Qwen3Config(**SMALL))
    ids = torch.arange(20).view(2, 10)
    with torch.no_grad():
        expected = model(ids).logits.float()
        with fused_norms(norms := fusible_norms(model)):
            found = model(ids).logits.float()
            assert all("forward" in vars(module) for module, _ in norms)
        again = model(ids).logits.float()
    assert torch.equal(again, expected)
    assert not any("forward" in vars(module) for module in model.modules())
    assert float((found - expected).norm() / expected.norm()) < 0.01


def test_another_thread_runs_them_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(LlamaConfig(**SMALL))
    norms = fusible_norms(model)
    called: list[str] = []
    real = torch.nn.functional.rms_norm
    monkeypatch.setattr(
        torch.nn.functional, "rms_norm",
        lambda *args: called.append(threading.current_thread().name) or real(*args),
    )  # fmt: skip
    with torch.no_grad(), fused_norms(norms):
        other = threading.Thread(target=model, args=(torch.arange(4)[None],), name="other")
        other.start()
        other.join()
        model(torch.arange(4)[None])
    assert called == ["MainThread"] * 5


def test_a_norm_that_was_changed_by_hand_is_left_alone() -> None:
    model = model_of(LlamaConfig(**SMALL))
    first = model.model.norm
    first.forward = lambda states: states
    norms = fusible_norms(model)
    assert first not in [module for module, _ in norms]
    assert len(norms) == 4
    model.model.layers[0].input_layernorm.register_parameter(
        "bias", torch.nn.Parameter(torch.ones(48, dtype=torch.bfloat16))
    )
    assert len(fusible_norms(model)) == 3
