"""Adapters as PEFT saved them until 2023: `adapter_model.bin` alone."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file

from guard import CleanModelLoader, provenance_of
from guard.errors import AdapterMismatch, PickleWeightsError

IDS = torch.tensor([[5, 9, 14]])


@pytest.fixture
def sft(raw: tuple[Any, Any], tmp_path: Path) -> Path:
    torch.manual_seed(1)
    config = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear")
    model = get_peft_model(copy.deepcopy(raw[0]), config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(tmp_path / "sft")
    return tmp_path / "sft"


@pytest.fixture
def pickled(sft: Path, tmp_path: Path) -> Path:
    made = tmp_path / "pickled"
    made.mkdir()
    shutil.copy(sft / "adapter_config.json", made)
    torch.save(load_file(sft / "adapter_model.safetensors"), made / "adapter_model.bin")
    return made


def _logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits


def test_it_is_refused_and_told_how(fresh: Any, pickled: Path) -> None:
    with pytest.raises(PickleWeightsError, match=r"adapter_model\.bin") as caught:
        CleanModelLoader.attach_adapter(fresh.model, pickled)
    assert "allow_pickle=True" in str(caught.value)


@pytest.mark.parametrize("in_place", [False, True])
def test_it_is_the_same_adapter(fresh: Any, sft: Path, pickled: Path, in_place: bool) -> None:
    safe = CleanModelLoader.attach_adapter(fresh.model, sft)
    expected = _logits(safe)
    other = CleanModelLoader.attach_adapter(
        fresh.model, pickled, allow_pickle=True, in_place=in_place
    )
    assert torch.equal(_logits(other), expected)
    one, two = (provenance_of(model).adapters[-1] for model in (safe, other))
    assert one.weights == two.weights
    assert two.path == str(pickled.resolve())
    assert {file.name for file in two.files} == {"adapter_config.json", "adapter_model.bin"}
    assert [event.kind for event in provenance_of(other).events][-1] == "adapter-pickled"
    assert [event.kind for event in provenance_of(safe).events] == []


def test_it_stands_on_another_and_trains(fresh: Any, sft: Path, pickled: Path) -> None:
    below = CleanModelLoader.attach_adapter(fresh.model, sft, name="sft")
    both = CleanModelLoader.attach_adapter(below, pickled, name="old", allow_pickle=True)
    with CleanModelLoader.adapter(both, "sft"):
        expected = _logits(both)
    with CleanModelLoader.adapter(both, "old"):
        assert torch.equal(_logits(both), expected)
    again = CleanModelLoader.attach_adapter(
        fresh.model, pickled, allow_pickle=True, is_trainable=True
    )
    assert any(one.requires_grad for one in again.parameters())


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (b"no pickle at all", "cannot be read as weights alone"),
        ({"a": 1}, "something else than tensors"),
        ([1, 2], "something else than tensors"),
    ],
)
def test_another_file(fresh: Any, pickled: Path, held: Any, said: str) -> None:
    path = pickled / "adapter_model.bin"
    if isinstance(held, bytes):
        path.write_bytes(held)
    else:
        torch.save(held, path)
    with pytest.raises(AdapterMismatch, match=said) as caught:
        CleanModelLoader.attach_adapter(fresh.model, pickled, allow_pickle=True)
    assert str(path) in str(caught.value)


def test_one_that_does_not_fit_is_told_by_its_own_name(fresh: Any, pickled: Path) -> None:
    path = pickled / "adapter_model.bin"
    tensors = torch.load(path, weights_only=True)
    torch.save(dict(list(tensors.items())[1:]), path)
    with pytest.raises(AdapterMismatch) as caught:
        CleanModelLoader.attach_adapter(fresh.model, pickled, allow_pickle=True)
    assert str(pickled) in str(caught.value)
    assert "cleanguard-adapter-" not in str(caught.value)
