from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from guard import CleanModelLoader, Loaded, provenance_of, unguarded
from guard.errors import (
    ContaminationError,
    GuardWarning,
    ModelNotFoundError,
    PickleWeightsError,
    SettingsError,
)

IDS = torch.tensor([[271, 319, 269]])
DIRTY = torch.tensor([[271, 1]])
attach, select = CleanModelLoader.attach_adapter, CleanModelLoader.adapter


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(IDS.to(model.device)).logits.cpu()
    return found


@pytest.fixture(scope="session")
def make_adapter(
    raw: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Saves an adapter with random weights, made on the base or on another adapter merged into it."""

    def make(seed: int, below: Path | None = None) -> Path:
        target = tmp_path_factory.mktemp("adapter")
        torch.manual_seed(seed)
        base = copy.deepcopy(raw[0])
        if below is not None:
            base = PeftModel.from_pretrained(base, below).merge_and_unload()
        model = get_peft_model(
            base, LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear")
        )
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.2)
        model.save_pretrained(target)
        return target

    return make


@pytest.fixture(scope="session")
def sft(make_adapter: Callable[..., Path]) -> Path:
    return make_adapter(1)


@pytest.fixture(scope="session")
def dpo(make_adapter: Callable[..., Path], sft: Path) -> Path:
    return make_adapter(2, below=sft)


def test_lifting_the_guard_of_an_adapters_model_leaves_the_base_guarded(
    fresh: Loaded, sft: Path
) -> None:
    model = attach(fresh.model, sft)
    for one, other in ((model, fresh.model), (fresh.model, model)):
        with unguarded(one, reason="test"):
            one(DIRTY)
            with pytest.raises(ContaminationError):
                other(DIRTY)
    for owner in (model, fresh.model):
        assert [event.kind for event in provenance_of(owner).events] == ["unguarded"]


def test_the_guard_stays_on_and_the_lineage_is_recorded(fresh: Loaded, sft: Path) -> None:
    base = logits(fresh.model)
    model = attach(fresh.model, sft)
    assert not model.training
    assert not torch.allclose(logits(model), base)
    assert CleanModelLoader.generate(model, fresh.tokenizer, "A dog", max_new_tokens=4)
    for road in (model, model.base_model, model.generate):
        with pytest.raises(ContaminationError):
            road(input_ids=DIRTY)
    [record] = provenance_of(model).adapters
    assert record.path == str(sft.resolve())
    assert "adapter_model.safetensors" in {file.name for file in record.files}
    assert provenance_of(model).active_adapters == ("default",)


def test_attaching_leaves_the_base_alone(fresh: Loaded, sft: Path, dpo: Path) -> None:
    # The seed's faults: an adapter put onto the base object in place, and a DPO adapter on the raw base.
    before = logits(fresh.model)
    one, two = attach(fresh.model, sft), attach(fresh.model, dpo, name="dpo")
    assert torch.equal(logits(fresh.model), before)
    assert not torch.allclose(logits(one), logits(two))
    assert provenance_of(fresh.model).adapters == ()
    assert fresh.provenance.adapters == ()
    assert [a.name for a in provenance_of(one).adapters] == ["default"]
    # The memory of one: every base weight is the same storage.
    own = {p.data_ptr() for p in fresh.model.parameters()}
    for model in (one, two):
        lent = {p.data_ptr() for n, p in model.named_parameters() if "lora" not in n}
        assert lent <= own


def test_training_an_adapter_leaves_the_base_alone(fresh: Loaded, sft: Path) -> None:
    before = logits(fresh.model)
    model = attach(fresh.model, sft, is_trainable=True)
    assert model.training
    changed = logits(model)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    model(IDS, labels=IDS).loss.backward()
    optimizer.step()
    assert not torch.allclose(logits(model), changed)
    assert torch.equal(logits(fresh.model), before)


@pytest.mark.parametrize("how", ["merge_and_unload", "merge_adapter"])
@pytest.mark.parametrize("through", ["wrapper", "tuner"])
def test_merging_leaves_the_base_alone(fresh: Loaded, sft: Path, how: str, through: str) -> None:
    before = logits(fresh.model)
    model = attach(fresh.model, sft)
    wanted = logits(model)
    merged = getattr(model if through == "wrapper" else model.base_model, how)() or model
    assert torch.allclose(logits(merged), wanted, atol=1e-4)
    assert torch.equal(logits(fresh.model), before)
    assert "adapters-merged" in {event.kind for event in provenance_of(model).events}


def test_merging_keeps_guard_and_lineage(fresh: Loaded, sft: Path, dpo: Path) -> None:
    merged = attach(fresh.model, sft).merge_and_unload()
    with pytest.raises(ContaminationError):
        merged(DIRTY)
    again = attach(merged, dpo, name="second")
    assert [a.name for a in provenance_of(again).adapters] == ["default", "second"]


def test_merging_copies_nothing_where_the_base_is_gone(tiny_dir: Path, sft: Path) -> None:
    model = attach(CleanModelLoader(tiny_dir, dtype="float32").load().model, sft)
    weight = model.base_model.model.model.layers[0].mlp.up_proj.base_layer.weight
    merged = model.merge_and_unload()
    assert merged.model.layers[0].mlp.up_proj.weight.data_ptr() == weight.data_ptr()


def test_adapters_are_switched_on_one_base(
    fresh: Loaded, sft: Path, make_adapter: Callable[..., Path]
) -> None:
    other = make_adapter(3)
    alone = [logits(attach(fresh.model, path)) for path in (sft, other)]
    model = attach(attach(fresh.model, sft, name="sft"), other, name="other")
    assert torch.equal(logits(model), alone[0])
    flags = [p.requires_grad for p in model.parameters()]
    for name, wanted in (("other", alone[1]), ("base", logits(fresh.model)), ("sft", alone[0])):
        with select(model, name) as chosen:
            assert chosen is model
            assert torch.allclose(logits(model), wanted, atol=1e-6)
            assert provenance_of(model).active_adapters == (() if name == "base" else (name,))
            with pytest.raises(ContaminationError):
                model(DIRTY)
    assert torch.equal(logits(model), alone[0])
    assert [p.requires_grad for p in model.parameters()] == flags
    with pytest.raises(KeyError), select(model, "other"):
        raise KeyError
    assert torch.equal(logits(model), alone[0])


def test_a_stack_is_what_was_trained(fresh: Loaded, sft: Path, dpo: Path) -> None:
    # DPO was trained on SFT merged into the base, so that is what it must stand on.
    wanted = logits(attach(attach(fresh.model, sft).merge_and_unload(), dpo, name="dpo"))
    model = attach(attach(fresh.model, sft, name="sft"), dpo, name="dpo", on="sft")
    with select(model, "dpo"):
        assert torch.allclose(logits(model), wanted, atol=1e-4)
        assert provenance_of(model).active_adapters == ("sft", "dpo")
    with select(model, ["dpo"]):  # on the raw base, as the seed had it
        assert not torch.allclose(logits(model), wanted, atol=1e-2)
    assert {a.name: a.on for a in provenance_of(model).adapters} == {"sft": None, "dpo": "sft"}


@pytest.mark.parametrize("quantized", ["load_in_4bit", "load_in_8bit"])
def test_quantized_bases_are_shared_as_well(tiny_dir: Path, sft: Path, quantized: str) -> None:
    model = CleanModelLoader(tiny_dir, **{quantized: True}).load().model
    before = logits(model)
    adapted = attach(model, sft)
    changed = logits(adapted)
    assert not torch.allclose(changed, before)
    assert torch.equal(logits(model), before)
    up = model.model.layers[0].mlp.up_proj
    twin = adapted.base_model.model.model.layers[0].mlp.up_proj.base_layer
    assert twin.weight is up.weight
    adapted.merge_and_unload()
    assert torch.equal(logits(model), before)


def test_an_adapted_model_pickles(fresh: Loaded, sft: Path) -> None:
    model = attach(fresh.model, sft)
    again = pickle.loads(pickle.dumps(model))
    assert torch.equal(logits(again), logits(model))
    again.merge_and_unload()
    with pytest.raises(ContaminationError):
        again(DIRTY)


def test_an_adapter_of_another_base_is_said(
    fresh: Loaded, sft: Path, tmp_path: Path, hub_cache: Callable[..., None], tiny_dir: Path
) -> None:
    import shutil

    other = tmp_path / "other"
    shutil.copytree(sft, other)
    config = json.loads((other / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "someone/tiny-Instruct"
    (other / "adapter_config.json").write_text(json.dumps(config))
    hub_cache(tiny_dir, tmp_path / "cache", "someone/tiny", "0" * 40)
    model = (
        CleanModelLoader("someone/tiny", cache_dir=tmp_path / "cache", dtype="float32").load().model
    )
    with pytest.warns(GuardWarning, match=r"trained on someone/tiny-Instruct"):
        adapted = attach(model, other)
    assert provenance_of(adapted).events[-1].kind == "adapter-of-another-base"
    # A path says nothing: the same base lies in another place on every machine.
    attach(fresh.model, other)


def test_refusals(fresh: Loaded, sft: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="adapter_config"):
        attach(fresh.model, tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(PickleWeightsError):
        attach(fresh.model, tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    (tmp_path / "adapter_config.json").write_text("[]")
    with pytest.raises(ModelNotFoundError, match="no JSON object"):
        attach(fresh.model, tmp_path)
    with pytest.raises(SettingsError, match="`base` is no adapter"):
        attach(fresh.model, sft, name="base")
    with pytest.raises(SettingsError, match="no adapter 'sft' for 'dpo'"):
        attach(fresh.model, sft, name="dpo", on="sft")
    with pytest.raises(SettingsError, match="no adapter 'sft'"), select(fresh.model, "sft"):
        pass
    with select(fresh.model, "base") as base:
        assert base is fresh.model
    wrapped = attach(fresh.model, sft)
    with pytest.raises(SettingsError, match="already"):
        attach(wrapped, sft)
    with pytest.raises(SettingsError, match="it has default"), select(wrapped, "dpo"):
        pass


def test_in_place_is_what_peft_does(fresh: Loaded, raw: tuple[Any, Any], sft: Path) -> None:
    before = copy.deepcopy(raw[0])
    wanted = PeftModel.from_pretrained(before, sft)
    model = attach(fresh.model, sft, in_place=True)
    assert torch.equal(logits(model), logits(wanted))
    assert torch.equal(logits(fresh.model), logits(before))
    assert torch.equal(logits(fresh.model), logits(model))


def test_in_place_the_base_says_that_it_has_the_adapter(fresh: Loaded, sft: Path) -> None:
    model = attach(fresh.model, sft, in_place=True)
    for owner in (model, fresh.model):
        assert [record.path for record in provenance_of(owner).adapters] == [str(sft.resolve())]
        assert provenance_of(owner).active_adapters == ("default",)
        with pytest.raises(ContaminationError):
            owner(DIRTY)
    with select(model, "base"):
        assert provenance_of(fresh.model).active_adapters == ()


def test_merging_in_place_changes_the_base(fresh: Loaded, sft: Path) -> None:
    adapted = logits(attach(fresh.model, sft))
    merged = attach(fresh.model, sft, in_place=True).merge_and_unload()
    assert merged is fresh.model
    assert torch.allclose(logits(fresh.model), adapted, atol=1e-5)
    assert [event.kind for event in provenance_of(merged).events] == ["adapters-merged"]
