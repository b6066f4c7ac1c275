from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from guard import CleanModelLoader, Loaded, provenance_of
from guard.errors import ContaminationError, ModelNotFoundError, PickleWeightsError, SettingsError


@pytest.fixture
def adapter(raw: tuple[Any, Any], tmp_path: Path, tiny_dir: Path) -> Path:
    import copy

    torch.manual_seed(0)
    config = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear")
    model = get_peft_model(copy.deepcopy(raw[0]), config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def test_the_guard_stays_on_and_the_lineage_is_recorded(fresh: Loaded, adapter: Path) -> None:
    batch = CleanModelLoader.encode(fresh.tokenizer, "A dog")
    base = fresh.model(**batch).logits
    model = CleanModelLoader.attach_adapter(fresh.model, adapter)
    assert not model.training
    assert not torch.allclose(model(**batch).logits, base)
    assert CleanModelLoader.generate(model, fresh.tokenizer, "A dog", max_new_tokens=4)
    dirty = torch.tensor([[271, 1]])
    for road in (model, model.base_model, model.generate):
        with pytest.raises(ContaminationError):
            road(input_ids=dirty)
    [record] = provenance_of(model).adapters
    assert record.path == str(adapter.resolve())
    assert "adapter_model.safetensors" in {file.name for file in record.files}
    assert fresh.provenance.adapters == ()


def test_merging_keeps_guard_and_lineage(fresh: Loaded, adapter: Path) -> None:
    merged = CleanModelLoader.attach_adapter(fresh.model, adapter).merge_and_unload()
    with pytest.raises(ContaminationError):
        merged(torch.tensor([[271, 1]]))
    again = CleanModelLoader.attach_adapter(merged, adapter, name="second")
    assert [a.name for a in provenance_of(again).adapters] == ["default", "second"]


def test_refusals(fresh: Loaded, adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="adapter_config"):
        CleanModelLoader.attach_adapter(fresh.model, tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(PickleWeightsError):
        CleanModelLoader.attach_adapter(fresh.model, tmp_path)
    wrapped = CleanModelLoader.attach_adapter(fresh.model, adapter)
    with pytest.raises(SettingsError, match="already"):
        CleanModelLoader.attach_adapter(wrapped, adapter)
