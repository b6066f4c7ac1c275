"""Adapters that fit in part or not at all, and what is done to adapters behind the guard's back."""

from __future__ import annotations

import copy
import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import (
    AdaLoraConfig,
    LoraConfig,
    PeftModel,
    PromptTuningConfig,
    VeraConfig,
    get_peft_model,
)
from safetensors.torch import load_file, save_file

from guard import CleanModelLoader, JsonlWriter, Loaded, provenance_of
from guard.errors import AdapterMismatch, GuardWarning, SettingsError
from guard.records.verification import verify_file

IDS = torch.tensor([[271, 319, 269]])
attach, select = CleanModelLoader.attach_adapter, CleanModelLoader.adapter
Tensors = dict[str, torch.Tensor]


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(IDS).logits
    return found


def trained_with(config: LoraConfig, base: Any, folder: Path) -> Any:
    """A base with an adapter of which every trained part has moved, saved to a folder."""
    trained = get_peft_model(copy.deepcopy(base), config).eval()
    for parameter in trained.parameters():
        if parameter.requires_grad:
            parameter.data.add_(0.05)
    trained.save_pretrained(folder)
    return trained


@pytest.fixture(scope="module")
def make(raw: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Saves a LoRA with random weights."""

    def made(seed: int = 1, rows: int | None = None, **options: Any) -> Path:
        target = tmp_path_factory.mktemp("adapter")
        torch.manual_seed(seed)
        base = copy.deepcopy(raw[0])
        if rows is not None:
            base.resize_token_embeddings(rows, mean_resizing=False)
        config = LoraConfig(
            task_type="CAUSAL_LM", r=4, **{"target_modules": "all-linear", **options}
        )
        model = get_peft_model(base, config)
        for name, parameter in model.named_parameters():
            if "lora_B" in name or "lora_embedding_B" in name:
                torch.nn.init.normal_(parameter, std=0.2)
        model.save_pretrained(target)
        return target

    return made


def changed(path: Path, target: Path, edit: Callable[[Tensors], Tensors], **config: Any) -> Path:
    shutil.copytree(path, target)
    tensors = edit(load_file(target / "adapter_model.safetensors"))
    save_file(tensors, target / "adapter_model.safetensors", {"format": "pt"})
    file = target / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | config))
    return target


def renamed(old: str, new: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name.replace(old, new, 1): t for name, t in tensors.items()}


def kept(wanted: Callable[[str], bool]) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name: t for name, t in tensors.items() if wanted(name)}


def extra(tensors: Tensors) -> Tensors:
    like = next(name for name in tensors if "layers.0.mlp.up_proj.lora_A" in name)
    return {**tensors, like.replace("layers.0", "layers.9"): tensors[like].clone()}


@pytest.mark.parametrize(
    ("edit", "config", "said"),
    [
        pytest.param(
            renamed("base_model.model.", "module.base_model.model."), {}, "fit nothing", id="a-wrapper"
        ),
        pytest.param(
            renamed("base_model.model.model.", "base_model.model."), {}, "fit nothing", id="no-prefix"
        ),
        pytest.param(extra, {}, "1 tensor of its file fits nothing", id="left-over"),
        pytest.param(
            kept(lambda name: "layers.1." not in name), {}, "14 of the 42", id="a-layer-lacks"
        ),
        pytest.param(kept(lambda name: "lora_A" in name), {}, "21 of the 42", id="half-of-each"),
        pytest.param(
            kept(lambda _: True), {"target_modules": ["q_proj"]}, "36 tensors of its file fit nothing",
            id="a-config-with-fewer-targets",
        ),
        pytest.param(
            kept(lambda _: True), {"target_modules": ["nothing_like_it"]}, "cannot be put on this model",
            id="a-config-of-another-architecture",
        ),
        pytest.param(kept(lambda _: True), {"r": 8}, "have another shape", id="another-rank"),
        pytest.param(kept(lambda _: True), {"r": "many"}, "cannot be put", id="a-rank-of-words"),
        pytest.param(
            kept(lambda _: True), {"peft_type": "NOVEL"}, "'NOVEL' is missing from its", id="an-unknown-type"
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("road", ["beside", "in-place", "on-another"])
def test_what_does_not_fit_is_refused_and_leaves_no_trace(
    fresh: Loaded, make: Callable[..., Path], tmp_path: Path, edit: Any, config: Any, said: str, road: str
) -> None:  # fmt: skip
    path = changed(make(1), tmp_path / "other", edit, **config)
    model = attach(fresh.model, make(2)) if road == "on-another" else fresh.model
    before = logits(model)
    flags = [p.requires_grad for p in model.parameters()]
    with pytest.raises(AdapterMismatch, match=said) as caught:
        attach(model, path, name="other", in_place=road == "in-place")
    assert caught.value.remedy
    assert torch.equal(logits(model), before)
    assert [p.requires_grad for p in model.parameters()] == flags
    assert [a.name for a in provenance_of(model).adapters] == (
        ["default"] if road == "on-another" else []
    )
    # The model is as good as before: the sound adapter can be attached.
    assert not torch.equal(logits(attach(model, make(3), name="third")), before) or (
        road == "on-another"
    )


def test_a_torn_file_is_named(fresh: Loaded, make: Callable[..., Path], tmp_path: Path) -> None:
    path = changed(make(1), tmp_path / "torn", kept(lambda _: True))
    file = path / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(AdapterMismatch, match=r"adapter_model\.safetensors cannot be read"):
        attach(fresh.model, path)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"modules_to_save": ["embed_tokens", "lm_head"]}, id="saved-modules"),
        pytest.param({"target_modules": ["embed_tokens", "q_proj"]}, id="lora-on-embeddings"),
    ],
)
def test_another_vocabulary_is_told_by_shape(
    fresh: Loaded, make: Callable[..., Path], options: dict[str, Any]
) -> None:
    before = logits(fresh.model)
    with pytest.raises(AdapterMismatch, match="shape") as caught:
        attach(fresh.model, make(1, rows=710, **options))
    assert "vocabulary" in str(caught.value)
    assert torch.equal(logits(fresh.model), before)


def test_embeddings_beside_an_adapter_do_not_reach_the_base(
    fresh: Loaded, make: Callable[..., Path], tmp_path: Path
) -> None:
    # PEFT stores them where the vocabulary was changed, and writes them into the base on loading.
    name = "base_model.model.model.embed_tokens.weight"

    def with_embedding(tensors: Tensors) -> Tensors:
        return {**tensors, name: torch.full_like(fresh.model.model.embed_tokens.weight, 0.01)}

    path = changed(make(1), tmp_path / "whole", with_embedding)
    before = logits(fresh.model)
    model = attach(fresh.model, path)
    assert torch.equal(logits(fresh.model), before)
    assert not torch.allclose(logits(model), before)
    [record] = provenance_of(model).adapters
    assert record.replaces == ("model.embed_tokens.weight",)
    with pytest.raises(SettingsError, match="in place of the base's"), select(model, "base"):
        pass
    with select(model, "default"):
        pass
    with pytest.raises(AdapterMismatch, match="whole tensors of the base"):
        attach(attach(fresh.model, make(2)), path, name="second")
    narrow = {name: torch.zeros(705, 128)}
    other = changed(make(1), tmp_path / "narrow", lambda tensors: {**tensors, **narrow})
    with pytest.raises(AdapterMismatch, match="another vocabulary"):
        attach(fresh.model, other)


def test_adapters_of_other_kinds_still_attach(
    fresh: Loaded, make: Callable[..., Path], raw: tuple[Any, Any], tmp_path: Path
) -> None:
    for options in ({"use_dora": True}, {"modules_to_save": ["lm_head"]}, {"use_rslora": True}):
        path = make(5, **options)
        wanted = logits(PeftModel.from_pretrained(copy.deepcopy(raw[0]), path))
        assert torch.equal(logits(attach(fresh.model, path)), wanted)
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    get_peft_model(copy.deepcopy(raw[0]), config).save_pretrained(tmp_path / "prompt")
    [record] = provenance_of(attach(fresh.model, tmp_path / "prompt")).adapters
    get_peft_model(copy.deepcopy(raw[0]), config).save_pretrained(tmp_path / "other")
    [other] = provenance_of(attach(fresh.model, tmp_path / "other")).adapters
    assert record.live != other.live


@pytest.mark.parametrize("begin", ["pissa", "olora"])
def test_an_adapter_that_takes_its_part_out_of_the_base_leaves_the_base_alone(
    fresh: Loaded, raw: tuple[Any, Any], make: Callable[..., Path], tmp_path: Path, begin: str
) -> None:
    config = LoraConfig(
        task_type="CAUSAL_LM", r=4, target_modules=["q_proj", "lm_head"], init_lora_weights=begin
    )
    trained = trained_with(config, raw[0], tmp_path)
    before = logits(fresh.model)
    model = attach(fresh.model, tmp_path)
    assert torch.equal(logits(model), logits(trained))
    assert torch.equal(logits(fresh.model), before)
    [record] = provenance_of(model).adapters
    assert "model.layers.1.self_attn.q_proj.weight" in record.replaces
    with pytest.raises(SettingsError, match="in place of the base's"), select(model, "base"):
        pass
    other = attach(fresh.model, make(1), name="plain")
    with pytest.raises(AdapterMismatch, match="takes its part out"):
        attach(other, tmp_path, name="second")
    assert torch.equal(logits(fresh.model), before)
    assert torch.equal(logits(attach(fresh.model, tmp_path, in_place=True)), logits(trained))


@pytest.mark.parametrize("bias", ["lora_only", "all"])
def test_biases_that_were_trained_with_an_adapter_do_not_reach_the_base(
    fresh: Loaded, raw: tuple[Any, Any], tmp_path: Path, bias: Any
) -> None:
    config = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"], bias=bias)
    trained = trained_with(config, raw[0], tmp_path)
    before = logits(fresh.model)
    model = attach(fresh.model, tmp_path)
    assert torch.equal(logits(model), logits(trained))
    assert torch.equal(logits(fresh.model), before)
    [record] = provenance_of(model).adapters
    assert "model.layers.0.self_attn.q_proj.bias" in record.replaces
    assert ("model.layers.0.self_attn.k_proj.bias" in record.replaces) is (bias == "all")
    with pytest.raises(SettingsError, match="in place of the base's"), select(model, "base"):
        pass


def test_a_head_below_an_adapter_that_is_not_the_bases_does_not_reach_it(
    fresh: Loaded, raw: tuple[Any, Any], make: Callable[..., Path], tmp_path: Path
) -> None:
    # PEFT stores what lies below an adapted head or embedding, and loads it over the base's.
    def saved(base: Any, path: Path) -> Path:
        config = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["lm_head"])
        trained = get_peft_model(base, config)
        trained.base_model.model.lm_head.lora_B.default.weight.data.add_(0.05)
        trained.save_pretrained(path)
        return path

    other = copy.deepcopy(raw[0])
    other.lm_head.weight.data.mul_(1.5)
    before = logits(fresh.model)
    [record] = provenance_of(attach(fresh.model, saved(other, tmp_path / "other"))).adapters
    assert torch.equal(logits(fresh.model), before)
    assert record.replaces == ("lm_head.weight",)
    model = attach(fresh.model, saved(copy.deepcopy(raw[0]), tmp_path / "same"))
    assert provenance_of(model).adapters[0].replaces == ()
    attach(model, make(1), name="above")


def test_an_adapter_that_begins_at_random_is_refused(
    fresh: Loaded, make: Callable[..., Path], tmp_path: Path
) -> None:
    path = changed(
        make(1), tmp_path / "niter", kept(lambda _: True), init_lora_weights="pissa_niter_4"
    )
    with pytest.raises(AdapterMismatch, match="random factorisation") as caught:
        attach(fresh.model, path)
    assert "path_initial_model_for_weight_conversion" in (caught.value.remedy or "")


@pytest.mark.parametrize(
    "config",
    [
        AdaLoraConfig(
            task_type="CAUSAL_LM", target_modules=["q_proj"], init_r=3, target_r=2, total_step=9,
            init_lora_weights=False,
        ),
        VeraConfig(task_type="CAUSAL_LM", target_modules=["q_proj"], r=2, init_weights=False),
    ],
    ids=["adalora", "vera"],
)  # fmt: skip
def test_what_peft_itself_does_not_store_is_not_missing(
    fresh: Loaded, raw: tuple[Any, Any], tmp_path: Path, config: Any
) -> None:
    get_peft_model(copy.deepcopy(raw[0]), config).save_pretrained(tmp_path)
    wanted = logits(PeftModel.from_pretrained(copy.deepcopy(raw[0]), tmp_path))
    assert torch.equal(logits(attach(fresh.model, tmp_path)), wanted)


@pytest.mark.parametrize(
    ("edit", "config"),
    [
        (lambda ts: {n: t * 0 if "lora_B" in n else t for n, t in ts.items()}, {}),
        (lambda ts: {n: t * 0 if "lora_A" in n else t for n, t in ts.items()}, {}),
        (lambda ts: ts, {"lora_alpha": 0}),
    ],
    ids=["untrained", "other factor", "scale"],
)
def test_an_adapter_without_effect_is_told(
    fresh: Loaded, make: Callable[..., Path], tmp_path: Path, edit: Any, config: Any
) -> None:
    path = changed(make(1), tmp_path / "idle", edit, **config)
    with pytest.warns(GuardWarning, match="no effect"):
        model = attach(fresh.model, path)
    assert torch.equal(logits(model), logits(fresh.model))
    kinds = [event.kind for event in provenance_of(model).events]
    assert kinds == ["adapter-without-effect"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", GuardWarning)
        attach(fresh.model, path, is_trainable=True)
        attach(fresh.model, make(2))


def test_a_second_adapter_in_place_is_refused(fresh: Loaded, make: Callable[..., Path]) -> None:
    attach(fresh.model, make(1, target_modules=["q_proj"]), in_place=True)
    for in_place in (True, False):
        with pytest.raises(SettingsError, match="in place already"):
            attach(fresh.model, make(2, target_modules=["v_proj"]), in_place=in_place)


@pytest.mark.parametrize("name", ["a.b", "", " ", None, 3])
def test_names_that_torch_cannot_hold_are_refused(
    fresh: Loaded, make: Callable[..., Path], name: Any
) -> None:
    with pytest.raises(SettingsError, match="cannot be called"):
        attach(fresh.model, make(1), name=name)


def test_after_a_merge_the_base_is_refused(fresh: Loaded, make: Callable[..., Path]) -> None:
    base = logits(fresh.model)
    model = attach(attach(fresh.model, make(1), name="one"), make(2), name="two")
    model.merge_adapter()
    merged = logits(model)
    for name in ("base", "two"):
        with pytest.raises(SettingsError, match="merged into the weights"), select(model, name):
            pass
    with select(model, "one"):
        assert torch.equal(logits(model), merged)
    assert torch.equal(logits(model), merged)
    model.unmerge_adapter()
    with pytest.raises(SettingsError, match="merged into the weights"), select(model, "base"):
        pass
    assert torch.equal(logits(fresh.model), base)
    with select(fresh.model, "base"):
        assert torch.equal(logits(fresh.model), base)


def test_after_merge_and_unload_the_base_is_refused(
    fresh: Loaded, make: Callable[..., Path]
) -> None:
    merged = attach(fresh.model, make(1)).merge_and_unload()
    with pytest.raises(SettingsError, match="merged into the weights"), select(merged, "base"):
        pass


def kinds(model: Any) -> list[str]:
    return [event.kind for event in provenance_of(model).events]


def test_an_adapter_that_is_loaded_over_is_told(
    fresh: Loaded, make: Callable[..., Path], tmp_path: Path
) -> None:
    one, two = make(1), make(2)
    model = attach(fresh.model, one)
    before = provenance_of(model).adapters[0]
    assert (before.changed, kinds(model)) == (False, [])
    model.load_adapter(str(two), "default")
    [record] = provenance_of(model).adapters
    assert record.changed
    assert record.live != before.live
    assert record.live == provenance_of(attach(fresh.model, two)).adapters[0].live
    assert kinds(model) == ["adapter-changed"]
    path = tmp_path / "out.jsonl"
    with JsonlWriter(path, model) as out:
        out.write("a", {"text": "b"})
    assert json.loads(path.read_text())["provenance"]["loads"]["model"]["adapters"] == {
        "default": record.live
    }
    [problem] = verify_file(path).problems
    assert problem.kind == "unknown-load"
    assert "not the one of its files any more" in problem.reason
    assert kinds(model) == ["adapter-changed"]


def test_a_mixture_is_told(fresh: Loaded, make: Callable[..., Path], tmp_path: Path) -> None:
    model = attach(attach(fresh.model, make(1), name="one"), make(2), name="two")
    model.add_weighted_adapter(["one", "two"], [0.5, 0.5], "mix", combination_type="linear")
    assert kinds(model) == ["adapter-added"]
    model.set_adapter("mix")
    found = provenance_of(model)
    assert [event.kind for event in found.events] == ["adapter-added", "adapters-chosen"]
    assert found.events[1].detail == {"active": ["mix"]}
    assert all(event.code == "CG109" for event in found.events)
    assert found.active_adapters == ("mix",)
    # The mean of two equal adapters is twice the adapter: the digest is of what is in the model.
    same = attach(attach(fresh.model, make(1), name="one"), make(1), name="two")
    same.add_weighted_adapter(["one", "two"], [0.5, 0.5], "mix", combination_type="linear")
    digests = {event.detail["digest"] for event in provenance_of(same).events}
    assert digests.isdisjoint(record.live for record in provenance_of(same).adapters)
    path = tmp_path / "out.jsonl"
    with JsonlWriter(path, model) as out:
        out.write("a", {"text": "b"})
    assert not verify_file(path).ok


@pytest.mark.parametrize("how", ["scale", "weight", "train"])
def test_whatever_changes_an_adapter_is_told(
    fresh: Loaded, make: Callable[..., Path], how: str
) -> None:
    model = attach(fresh.model, make(1), is_trainable=how == "train")
    layer = model.base_model.model.model.layers[0].mlp.up_proj
    before = logits(model)
    if how == "scale":
        layer.scale_layer(2.0)
    elif how == "weight":
        with torch.no_grad():
            layer.lora_B["default"].weight.mul_(3)
    else:
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
        model(IDS, labels=IDS).loss.backward()
        optimizer.step()
    assert not torch.equal(logits(model), before)
    assert provenance_of(model).adapters[0].changed
    assert kinds(model) == ["adapter-changed"]


def test_choosing_with_the_guard_is_no_news(fresh: Loaded, make: Callable[..., Path]) -> None:
    model = attach(attach(fresh.model, make(1), name="one"), make(2), name="two")
    for name in ("two", "base", "one"):
        with select(model, name):
            assert provenance_of(model).active_adapters == (() if name == "base" else (name,))
    assert kinds(model) == []
    model.set_adapter("two")
    assert kinds(model) == ["adapters-chosen"]
    with select(model, "two"):
        model.set_adapter("one")
    assert kinds(model) == ["adapters-chosen", "adapters-chosen"]


def test_a_merge_by_a_layers_own_method_is_told(fresh: Loaded, make: Callable[..., Path]) -> None:
    model = attach(fresh.model, make(1))
    model.base_model.model.model.layers[0].mlp.up_proj.merge()
    assert kinds(model) == ["adapters-merged"]
    with pytest.raises(SettingsError, match="merged into the weights"), select(model, "base"):
        pass
