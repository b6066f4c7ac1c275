"""A class, a configuration and rows of one's own: loaded and scored as `from_pretrained` has it, and recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, Qwen2ForCausalLM
from transformers.modeling_outputs import CausalLMOutputWithPast

from guard import CleanModelLoader
from guard.errors import MissingBosError, SettingsError

IDS = torch.tensor([[5, 6, 7, 8]])


class Doubled(Qwen2ForCausalLM):
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        found = super().forward(*args, **kwargs)
        found.logits = found.logits * 2
        return found


class Short(Doubled):
    def generate(self, *args: Any, **kwargs: Any) -> Any:
        return super().generate(*args, **{**kwargs, "max_new_tokens": 2})


class Scorer(PreTrainedModel):
    """One that does not generate."""

    config_class = Qwen2ForCausalLM.config_class
    base_model_prefix = "model"

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.model = Qwen2ForCausalLM(config).model
        self.post_init()

    def forward(self, input_ids: torch.Tensor, **_: Any) -> CausalLMOutputWithPast:
        hidden = self.model(input_ids).last_hidden_state
        return CausalLMOutputWithPast(logits=hidden @ self.model.embed_tokens.weight.T)


def recorded(provenance: Any, name: str) -> str:
    return next(check.detail for check in provenance.checks if check.name == name)


@pytest.mark.parametrize("kind", [Doubled, Scorer])
def test_a_class_of_ones_own(kind: type, tiny_dir: Path) -> None:
    model, _, provenance = CleanModelLoader(tiny_dir, dtype="float32", model_class=kind).load()
    plain = kind.from_pretrained(tiny_dir, dtype=torch.float32).eval()  # type: ignore[attr-defined]
    with torch.no_grad():
        assert torch.equal(model(IDS).logits, plain(IDS).logits)
    assert recorded(provenance, "class-given").endswith(kind.__qualname__)


def test_a_class_that_generates_in_its_own_way_is_asked_to(tiny_dir: Path) -> None:
    model, tokenizer, _ = CleanModelLoader(tiny_dir, dtype="float32", model_class=Short).load()
    found = CleanModelLoader.complete(model, tokenizer, ["a"], max_new_tokens=6)[0]
    assert len(found.ids) <= 2


def test_a_config_that_was_changed(tiny_dir: Path) -> None:
    config = AutoConfig.from_pretrained(tiny_dir)
    config.rope_parameters = {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}
    model, _, provenance = CleanModelLoader(tiny_dir, dtype="float32", config=config).load()
    plain = AutoModelForCausalLM.from_pretrained(
        tiny_dir, config=config, dtype=torch.float32
    ).eval()
    with torch.no_grad():
        assert torch.equal(model(IDS).logits, plain(IDS).logits)
    assert recorded(provenance, "config-given") == "other than config.json: rope_parameters"


@pytest.mark.parametrize(
    "given", [{"model_class": "LlamaForCausalLM"}, {"config": {"vocab_size": 4}}, {"config": 1}]
)
def test_what_is_no_class_and_no_config(given: dict[str, Any], tiny_dir: Path) -> None:
    with pytest.raises(SettingsError, match=next(iter(given))):
        CleanModelLoader(tiny_dir, **given)


def test_rows_without_bos_are_scored_on_request(llama_like: Callable[[bool], Path]) -> None:
    loader = CleanModelLoader(llama_like(True), allow_missing_bos=True)
    model, _, provenance = loader.load()
    assert "allow_missing_bos" in provenance.overrides
    model(IDS)
    with pytest.raises(MissingBosError):
        model.generate(IDS, max_new_tokens=1)


def test_a_model_for_training_is_evaluated_on_such_rows(llama_like: Callable[[bool], Path]) -> None:
    model, _, _ = CleanModelLoader(llama_like(True), for_training=True).load()
    model.eval()
    model(IDS)
    with pytest.raises(MissingBosError):
        model.generate(IDS, max_new_tokens=1)


def test_what_scripts_hand_on_as_none_and_as_main(tiny_dir: Path) -> None:
    loader = CleanModelLoader(
        tiny_dir, load_in_8bit=None, load_in_4bit=None, trust_remote_code=None, revision="main"
    )
    _, _, provenance = loader.load()
    assert provenance.quantization == "none"
    with pytest.raises(SettingsError, match="local directory"):
        CleanModelLoader(tiny_dir, revision="v2").load()


def test_a_length_that_a_script_sets_is_saved(tiny_dir: Path, tmp_path: Path) -> None:
    _, tokenizer, _ = CleanModelLoader(tiny_dir, for_training=True).load()
    tokenizer.model_max_length = 123
    tokenizer.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["model_max_length"] == 123


@pytest.mark.parametrize("options", [{}, {"for_training": True}, {"padding": "files"}])
def test_two_loads_give_tokenizers_of_one_fingerprint(
    options: dict[str, Any], tiny_dir: Path
) -> None:
    """`datasets` names what it has tokenised after them, and finds it again."""
    hashed = pytest.importorskip("datasets.fingerprint").Hasher.hash
    tokenizers = [CleanModelLoader(tiny_dir, **options).load()[1] for _ in range(2)]
    assert hashed(tokenizers[0]) == hashed(tokenizers[1])
