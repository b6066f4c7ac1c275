"""Settings of training that have no effect, or that only the library or the model can tell to be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from cleanguard.errors import JobError
from guard import CleanModelLoader, Loaded
from stages.tiny import model_path
from stages.training.config import LoraConfig, TrainConfig
from stages.training.settings import check_targets, check_train, go_on_with, say_dropout


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"optimizer": "adamw_troch"}, r"train\.optimizer: 'adamw_troch' is not one of .*did you mean 'adamw_torch'"),
        ({"optimizer": ""}, r"train\.optimizer: '' is not one of"),
        ({"report_to": ("wandv",)}, r"train\.report_to: 'wandv' is not one of"),
        ({"deepspeed": Path("nowhere.json")}, r"train\.deepspeed: nowhere\.json: there is no such file"),
    ],
)  # fmt: skip
def test_what_the_library_does_not_know_is_told_before_a_model_is_loaded(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(JobError, match=said):
        check_train(TrainConfig(**changes))


def test_deepspeed_that_is_not_installed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "zero.json"
    file.write_text("{}")
    monkeypatch.setattr("stages.training.settings.find_spec", lambda _: None)
    with pytest.raises(JobError, match="deepspeed is not installed"):
        check_train(TrainConfig(deepspeed=file))


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(JobError, match=r"train\.learning_rate: 0 trains nothing"):
        TrainConfig(learning_rate=0)


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (("nonsense",), "no layer of the model is called 'nonsense'"),
        (("q_proj", "v_prj"), "called 'v_prj'; did you mean 'v_proj'"),
        (("proj",), "called 'proj'"),
    ],
)
def test_a_target_that_peft_would_pass_over_is_told(
    tiny: Loaded, targets: tuple[str, ...], said: str
) -> None:
    with pytest.raises(JobError, match=said):
        check_targets(tiny.model, LoraConfig(targets=targets))


@pytest.mark.parametrize("targets", [("all-linear",), ("q_proj", "mlp.up_proj"), ("model.layers.1.self_attn.v_proj",)])  # fmt: skip
def test_targets_that_are_there_are_taken(tiny: Loaded, targets: tuple[str, ...]) -> None:
    check_targets(tiny.model, LoraConfig(targets=targets))


def test_an_adapter_that_is_trained_on_gets_the_dropout_that_was_asked_for(sft: Path) -> None:
    loaded = CleanModelLoader(model_path(), dtype="float32", for_training=True).load()
    model: Any = CleanModelLoader.attach_adapter(loaded.model, sft, is_trainable=True)
    go_on_with(model, LoraConfig(dropout=0.5), sft)
    found = {type(one).__name__ for name, one in model.named_modules() if name.endswith("lora_dropout.default")}  # fmt: skip
    assert found == {"Dropout"}
    # A reference is made by the config, and is to have none.
    assert model.peft_config["default"].lora_dropout == 0
    ids = torch.tensor([[5, 6, 7, 8]])
    model.train()
    with torch.no_grad():
        one, other = model(ids).logits, model(ids).logits
    assert not torch.equal(one, other)
    say_dropout(model, LoraConfig(dropout=0.5))
    assert model.peft_config["default"].lora_dropout == 0.5


@pytest.mark.parametrize(
    ("asked", "key"),
    [({"r": 3}, "r"), ({"alpha": 5}, "alpha"), ({"targets": ("q_proj",)}, "targets")],
)
def test_another_shape_than_the_adapter_has_is_refused(
    sft: Path, asked: dict[str, Any], key: str
) -> None:
    loaded = CleanModelLoader(model_path(), dtype="float32", for_training=True).load()
    model: Any = CleanModelLoader.attach_adapter(loaded.model, sft, is_trainable=True)
    own = json.loads((sft / "adapter_config.json").read_text())
    go_on_with(model, LoraConfig(r=own["r"], alpha=own["lora_alpha"]), sft)
    go_on_with(model, LoraConfig(), sft)
    with pytest.raises(JobError, match=rf"lora\.{key}: {sft} is trained on"):
        go_on_with(model, LoraConfig(**asked), sft)
