"""Folders whose weights are not what their config says: refused, or recorded as what was loaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from guard import CleanModelLoader, Loaded
from guard.errors import GuardError, MissingWeightsError, ModelNotFoundError

Tensors = dict[str, torch.Tensor]
Edit = Callable[[Tensors], None]


@pytest.fixture
def with_tensors(edited: Callable[..., Path]) -> Callable[..., Path]:
    """A copy of the embedded model with its tensors and its config changed."""

    def make(edit: Edit, **config: Any) -> Path:
        path = edited(config=config)
        tensors = load_file(path / "model.safetensors")
        edit(tensors)
        save_file(tensors, path / "model.safetensors", {"format": "pt"})
        return path

    return make


LAYERS = {n: {"num_hidden_layers": n, "layer_types": ["full_attention"] * n} for n in (1, 2)}


def verdict(loaded: Loaded, name: str) -> tuple[str, str]:
    [check] = [check for check in loaded.provenance.checks if check.name == name]
    return check.verdict, check.detail


def ones(*names: str, like: str = "model.norm.weight") -> Edit:
    def edit(tensors: Tensors) -> None:
        for name in names:
            tensors[name] = torch.ones_like(tensors[like])

    return edit


def nothing(_tensors: Tensors) -> None:
    pass


def without_prefix(tensors: Tensors) -> None:
    for name in list(tensors):
        tensors[name.removeprefix("model.")] = tensors.pop(name)


@pytest.mark.parametrize(
    ("edit", "config", "named"),
    [
        pytest.param(nothing, LAYERS[2], "layers.2.", id="fewer-layers"),
        pytest.param(nothing, LAYERS[1], "layers.1.", id="one-layer-of-three"),
        pytest.param(
            without_prefix, LAYERS[2], "layers.2.", id="fewer-layers-of-a-bare-file"
        ),
        pytest.param(ones("model.layers.1.mlp.up_proj.bias"), {}, "up_proj.bias", id="a-bias"),
        pytest.param(ones("model.norm.bias"), {}, "norm.bias", id="a-bias-outside-of-the-blocks"),
        pytest.param(
            ones("model.layers.0.self_attn.q_norm.weight"), {}, "q_norm", id="a-norm-of-another-kind"
        ),
        pytest.param(
            ones("model.layers.0.self_attn.q_proj.lora_A.default.weight"), {}, "lora_A", id="unmerged-lora"
        ),
    ],
)  # fmt: skip
def test_a_part_of_a_model_is_refused(
    with_tensors: Callable[..., Path], edit: Edit, config: dict[str, Any], named: str
) -> None:
    with pytest.raises(MissingWeightsError, match="a part of the model") as caught:
        CleanModelLoader(with_tensors(edit, **config)).load()
    assert any(named in name for name in caught.value.evidence["unused"])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("v_head.summary.weight",), id="a-value-head"),
        pytest.param(("vision_tower.layers.0.up.weight", "vision_tower.norm.weight"), id="a-tower"),
        pytest.param(("model.layers.0.self_attn.masked_bias",), id="a-mask-of-an-old-version"),
    ],
)
def test_parts_that_the_class_does_not_have_are_recorded(
    with_tensors: Callable[..., Path], names: tuple[str, ...]
) -> None:
    loaded = CleanModelLoader(with_tensors(ones(*names))).load()
    assert loaded.provenance.model.unused == tuple(sorted(names))
    said, detail = verdict(loaded, "every-tensor-used")
    assert said == "recorded"
    assert names[0] in detail


def test_a_whole_checkpoint_says_so(tiny: Loaded) -> None:
    assert tiny.provenance.model.unused == ()
    assert verdict(tiny, "every-tensor-used") == ("pass", "")
    assert verdict(tiny, "tied-as-configured") == ("pass", "")
    assert verdict(tiny, "one-set-of-weights") == ("pass", "")
    assert tiny.provenance.model.tied is True


def test_tensors_of_another_shape_are_named(with_tensors: Callable[..., Path]) -> None:
    path = with_tensors(nothing, intermediate_size=256)
    with pytest.raises(MissingWeightsError, match="another shape") as caught:
        CleanModelLoader(path).load()
    assert "model.layers.0.mlp.up_proj.weight" in caught.value.evidence["mismatched"]  # type: ignore[operator]


def test_a_head_in_the_file_against_ties_in_the_config(with_tensors: Callable[..., Path]) -> None:
    def head(tensors: Tensors) -> None:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"] * 2

    path = with_tensors(head)
    loaded = CleanModelLoader(path).load()
    said, detail = verdict(loaded, "tied-as-configured")
    assert said == "recorded"
    own = loaded.model.lm_head.weight is not loaded.model.model.embed_tokens.weight
    assert loaded.provenance.model.tied is not own
    assert ("which was loaded" in detail) == own


def test_a_head_that_equals_the_embedding_is_no_news(with_tensors: Callable[..., Path]) -> None:
    def head(tensors: Tensors) -> None:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()

    loaded = CleanModelLoader(with_tensors(head)).load()
    assert verdict(loaded, "tied-as-configured") == ("pass", "")


def sharded_over_single(path: Path, change: float) -> Path:
    """What `save_pretrained` in shards leaves in a folder that holds a single file."""
    model = AutoModelForCausalLM.from_pretrained(path)
    with torch.no_grad():
        model.model.norm.weight += change
    old = (path / "model.safetensors").read_bytes()
    model.save_pretrained(path, max_shard_size="400KB")
    assert (path / "model.safetensors.index.json").is_file()
    (path / "model.safetensors").write_bytes(old)
    return path


def test_shards_over_an_older_single_file_are_refused(edited: Callable[..., Path]) -> None:
    path = sharded_over_single(edited(), 0.5)
    with pytest.raises(ModelNotFoundError, match="two sets of weights") as caught:
        CleanModelLoader(path).load()
    assert caught.value.evidence["differ"] == ["model.norm.weight"]
    from guard.doctor import diagnose

    weights = diagnose(CleanModelLoader(path).request).weights
    assert weights is not None
    assert (weights.files, weights.size) == (1, (path / "model.safetensors").stat().st_size)
    (path / "model.safetensors").unlink()
    assert CleanModelLoader(path).load().provenance.model.weights is not None


def test_shards_that_hold_the_same_are_told(edited: Callable[..., Path]) -> None:
    loaded = CleanModelLoader(sharded_over_single(edited(), 0.0)).load()
    said, detail = verdict(loaded, "one-set-of-weights")
    assert said == "recorded"
    assert detail.startswith("model.safetensors was read, and not model-00001-of-")


def test_an_index_that_names_the_single_file_is_no_second_set(edited: Callable[..., Path]) -> None:
    path = edited()
    names = load_file(path / "model.safetensors")
    listed = {"metadata": {}, "weight_map": dict.fromkeys(names, "model.safetensors")}
    (path / "model.safetensors.index.json").write_text(json.dumps(listed))
    assert verdict(CleanModelLoader(path).load(), "one-set-of-weights") == ("pass", "")


def test_weights_of_another_format_are_told(edited: Callable[..., Path]) -> None:
    path = edited()
    torch.save({}, path / "pytorch_model.bin")
    assert "pytorch_model.bin" in verdict(CleanModelLoader(path).load(), "one-set-of-weights")[1]


@pytest.mark.parametrize("index", ["[]", "{", '{"weight_map": 3}', '{"weight_map": {"a": "../b"}}'])
def test_a_broken_index_is_named(edited: Callable[..., Path], index: str) -> None:
    path = edited()
    shutil.move(path / "model.safetensors", path / "model-00001-of-00001.safetensors")
    (path / "model.safetensors.index.json").write_text(index)
    with pytest.raises(GuardError, match="index"):
        CleanModelLoader(path).load()
