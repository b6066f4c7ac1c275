from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from guard.provenance.tensors import (
    BrokenSafetensors,
    adapter_record,
    tensor_digests,
    weight_files,
    weights_record,
)


@pytest.fixture
def model(tiny_dir: Path, tmp_path: Path) -> Path:
    shutil.copy(tiny_dir / "model.safetensors", tmp_path)
    return tmp_path


def cut(directory: Path, pieces: int) -> Path:
    """The same tensors in several files, in another order."""
    tensors = load_file(directory / "model.safetensors")
    target = directory / f"cut{pieces}"
    target.mkdir()
    names = sorted(tensors, reverse=True)
    where = {
        name: f"model-{at % pieces:05}-of-{pieces:05}.safetensors" for at, name in enumerate(names)
    }
    for file in sorted(set(where.values())):
        members = {name: tensors[name] for name in names if where[name] == file}
        save_file(members, target / file, metadata={"format": "pt", "made": file})
    (target / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    (target / "consolidated.safetensors").write_bytes(b"not read")
    return target


def test_digest_does_not_depend_on_sharding(model: Path) -> None:
    whole = weights_record(model)
    assert whole is not None
    assert whole.numbers == 681_344
    assert weights_record(cut(model, 1)) == weights_record(cut(model, 5)) == whole


def change(model: Path, edit: Any) -> None:
    tensors = load_file(model / "model.safetensors")
    edit(tensors)
    save_file(tensors, model / "model.safetensors")


def one_bit(tensors: dict[str, Any]) -> None:
    tensors["model.norm.weight"].view(torch.int16)[3] ^= 1


def rename(tensors: dict[str, Any]) -> None:
    tensors["model.norm.bias"] = tensors.pop("model.norm.weight")


def swap(tensors: dict[str, Any]) -> None:
    first, second = "model.layers.0.input_layernorm.weight", "model.layers.1.input_layernorm.weight"
    tensors[first], tensors[second] = tensors[second], tensors[first]


def reshape(tensors: dict[str, Any]) -> None:
    tensors["model.norm.weight"] = tensors["model.norm.weight"].view(2, -1)


def retype(tensors: dict[str, Any]) -> None:
    tensors["model.norm.weight"] = tensors["model.norm.weight"].view(torch.int16)


@pytest.mark.parametrize("edit", [one_bit, rename, swap, reshape, retype])
def test_digest_sees_every_change(model: Path, edit: Any) -> None:
    before = weights_record(model)
    change(model, edit)
    assert weights_record(model) != before


def test_adapters_have_digests_too(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2, 3)}, tmp_path / "adapter_model.safetensors")
    record = weights_record(tmp_path)
    assert record is not None
    assert (record.tensors, record.numbers) == (1, 6)


def test_an_adapters_file_beside_a_models_is_no_part_of_it(model: Path) -> None:
    """Neither beside a single file nor beside shards, where it was taken for the model's."""
    shards = cut(model, 3)
    for folder in (model, shards):
        whole = weights_record(folder)
        save_file({"a": torch.zeros(2, 3)}, folder / "adapter_model.safetensors")
        assert weights_record(folder) == whole
        assert all("adapter" not in path.name for path in weight_files(folder))
        beside = adapter_record(folder)
        assert beside is not None
        assert (beside.tensors, beside.numbers) == (1, 6)


def test_pickled_weights_have_no_digest(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    assert weights_record(tmp_path) is None
    assert weight_files(tmp_path) == ()


@pytest.mark.parametrize(
    "content", [b"", b"short", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0[]", b"\x02\0\0\0\0\0\0\0{{"]
)
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(BrokenSafetensors):
        weights_record(tmp_path)


def test_a_file_that_was_cut_off_is_refused(model: Path) -> None:
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(BrokenSafetensors, match="ends before"):
        weights_record(model)


def test_the_same_name_twice_is_refused(model: Path) -> None:
    with pytest.raises(BrokenSafetensors, match="second time"):
        tensor_digests([model / "model.safetensors"] * 2)
