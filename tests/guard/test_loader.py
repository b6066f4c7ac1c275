from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from guard import CleanModelLoader, Loaded
from guard.errors import (
    AdapterAsBaseError,
    ChatModelError,
    LoaderCallError,
    MissingExtraError,
    MissingWeightsError,
    ModelNotFoundError,
    PickleWeightsError,
    SettingsError,
    TemplateOnBaseError,
)
from guard.loader import LOADER_KEYWORDS

Edited = Callable[..., Path]


def test_the_seeds_calls_work_as_written(tiny_dir: Path) -> None:
    loader = CleanModelLoader(str(tiny_dir))
    model, tokenizer, provenance = loader.load()
    assert len(provenance["loader_version"][:8]) == 8
    text = loader.generate(
        model, tokenizer, "The capital of France is", max_new_tokens=8, temperature=0.7
    )
    assert type(text) is str
    assert not model.training
    assert tokenizer.padding_side == "left"


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("half", torch.float16), ("float", torch.float32), ("double", torch.float64)],
)
def test_torchs_other_names_for_dtypes(tiny_dir: Path, name: str, dtype: torch.dtype) -> None:
    assert CleanModelLoader(str(tiny_dir), dtype=name).load().model.dtype == dtype


def test_auto_dtype_is_the_checkpoints(tiny_dir: Path) -> None:
    model, _, provenance = CleanModelLoader(tiny_dir).load()
    wanted = json.loads((tiny_dir / "config.json").read_text())["dtype"]
    assert provenance.dtype == wanted
    assert model.dtype == getattr(torch, wanted)


def test_nf4_is_doubly_quantized_and_measured(tiny_dir: Path) -> None:
    model, tokenizer, provenance = CleanModelLoader(tiny_dir, load_in_4bit=True).load()
    found = provenance.model.quantization
    assert (found.kind, found.double, found.layers) == ("nf4", True, 21)
    assert provenance.quantization == "nf4"
    assert CleanModelLoader.generate(model, tokenizer, "3 plus 4 is", max_new_tokens=4)


def test_int8_is_int8(tiny_dir: Path) -> None:
    # The seed's loader gave 4 bit here.
    provenance = CleanModelLoader(tiny_dir, load_in_8bit=True).load().provenance
    assert provenance.quantization == "int8"


def test_both_quantizations_contradict(tiny_dir: Path) -> None:
    with pytest.raises(SettingsError, match="both set"):
        CleanModelLoader(tiny_dir, load_in_4bit=True, load_in_8bit=True)


@pytest.mark.parametrize(
    ("keyword", "hint"),
    [
        ("torch_dtype", "`dtype=`"),
        ("load_in_8bits", "load_in_8bit"),
        ("quantization_config", "load_in_8bit=True"),
        ("low_cpu_mem_usage", "leave it out"),
        ("xyzzy", "it takes"),
    ],
)
def test_unknown_keyword_names_the_one_that_was_meant(
    tiny_dir: Path, keyword: str, hint: str
) -> None:
    with pytest.raises(LoaderCallError, match="CG602") as caught:
        CleanModelLoader(tiny_dir, **{keyword: None})
    assert isinstance(caught.value, TypeError)
    assert hint in str(caught.value)


def test_keyword_table_is_the_signature() -> None:
    import inspect

    parameters = inspect.signature(CleanModelLoader).parameters.values()
    assert {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} == LOADER_KEYWORDS


@pytest.mark.parametrize(
    "model_id", ["./no/such/dir", "/no/such/dir", "nobody/no-such-model-cached"]
)
def test_absent_model_is_named(model_id: str) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        CleanModelLoader(model_id).load()
    assert model_id in str(caught.value)
    assert "remedy" in str(caught.value)


def test_directory_without_weights_is_named(tiny_dir: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_dir / "config.json", tmp_path)
    with pytest.raises(MissingWeightsError, match=r"no weights.*safetensors") as caught:
        CleanModelLoader(tmp_path).load()
    assert str(tmp_path) in str(caught.value)


def test_stray_adapter_is_refused(edited: Edited) -> None:
    path = edited(adapter_config={"peft_type": "LORA"})
    with pytest.raises(AdapterAsBaseError, match="CG109") as caught:
        CleanModelLoader(path).load()
    assert "allow_adapter" in str(caught.value)


def test_adapter_directory_points_to_attach_adapter(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(AdapterAsBaseError, match="attach_adapter"):
        CleanModelLoader(tmp_path).load()


def test_pickled_weights_are_refused_unless_allowed(raw: tuple[Any, Any], edited: Edited) -> None:
    path = edited()
    (path / "model.safetensors").unlink()
    torch.save(raw[0].state_dict(), path / "pytorch_model.bin")
    with pytest.raises(PickleWeightsError, match="CG107"):
        CleanModelLoader(path).load()
    provenance = CleanModelLoader(path, allow_pickle=True).load().provenance
    assert provenance.overrides == ("allow_pickle",)
    assert {c.name: c.verdict for c in provenance.checks}["safetensors-only"] == "overridden"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"tokenizer_config": {"eos_token": "<|im_end|>"}}, id="tokenizer-eos"),
        pytest.param({"tokenizer_config": {"bos_token": "<|im_start|>"}}, id="bos-is-a-turn"),
        pytest.param({"config": {"eos_token_id": 2}}, id="config-eos"),
        pytest.param({"generation_config": {"eos_token_id": [2, 0]}}, id="generation-eos-list"),
    ],
)
def test_chat_model_is_refused_unless_allowed(edited: Edited, change: dict[str, Any]) -> None:
    path = edited(**change)
    with pytest.raises(ChatModelError, match="CG108"):
        CleanModelLoader(path).load()
    provenance = CleanModelLoader(path, allow_chat_model=True).load().provenance
    assert {c.name: c.verdict for c in provenance.checks}["base-model"] == "overridden"


def test_turn_ends_leave_the_end_tokens(edited: Edited) -> None:
    path = edited(generation_config={"eos_token_id": [0, 2]})
    model, _, provenance = CleanModelLoader(path, allow_chat_model=True).load()
    assert model.generation_config.eos_token_id == 0
    assert provenance.generation.dropped["eos_token_id"] == [0, 2]


def test_generation_config_is_replaced_and_the_old_one_recorded(edited: Edited) -> None:
    path = edited(
        generation_config={"do_sample": True, "temperature": 0.6, "repetition_penalty": 1.05}
    )
    model, _, provenance = CleanModelLoader(path).load()
    assert model.generation_config.do_sample is False
    assert model.generation_config.repetition_penalty == 1.0
    assert provenance.generation.dropped == {
        "do_sample": True,
        "temperature": 0.6,
        "repetition_penalty": 1.05,
    }
    [check] = [c for c in provenance.checks if c.code == "CG303"]
    assert check.verdict == "recorded"
    assert "repetition_penalty=1.05" in check.detail


def test_template_is_blocked_and_survives_saving(tiny: Loaded, tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "hi"}]
    with pytest.raises(TemplateOnBaseError, match="CG203"):
        tiny.tokenizer.apply_chat_template(talk, tokenize=False)
    tiny.tokenizer.save_pretrained(tmp_path)
    from transformers import AutoTokenizer

    again = AutoTokenizer.from_pretrained(tmp_path)
    assert "<|im_start|>user" in again.apply_chat_template(talk, tokenize=False)


def test_padding_on_the_right_is_for_training(tiny_dir: Path) -> None:
    with pytest.raises(SettingsError, match="for training"):
        CleanModelLoader(tiny_dir, padding_side="right")
    _, tokenizer, provenance = CleanModelLoader(tiny_dir, for_training=True).load()
    assert tokenizer.padding_side == "right"
    assert provenance.for_training


def test_same_pad_and_eos_is_said_openly(tiny: Loaded) -> None:
    pad = tiny.provenance.tokenizer.pad
    assert (pad.id, pad.distinct_from_eos) == (0, False)
    assert "mask" in pad.note
    [check] = [c for c in tiny.provenance.checks if c.code == "CG401"]
    assert (check.verdict, check.detail) == ("recorded", pad.note)


def test_broken_files_are_named(edited: Edited) -> None:
    path = edited()
    (path / "generation_config.json").write_text("{")
    with pytest.raises(ModelNotFoundError, match=r"generation_config\.json is not JSON"):
        CleanModelLoader(path).load()
    (path / "generation_config.json").write_text("[]")
    with pytest.raises(ModelNotFoundError, match="no JSON object"):
        CleanModelLoader(path).load()
    (path / "generation_config.json").unlink()
    (path / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(Exception, match=r"safetensor|header|cannot be loaded"):
        CleanModelLoader(path).load()


def test_missing_tokenizer_is_named(edited: Edited) -> None:
    path = edited()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (path / name).unlink()
    with pytest.raises(ModelNotFoundError, match="tokenizer of"):
        CleanModelLoader(path).load()


def test_missing_bitsandbytes_names_its_extra(
    tiny_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(MissingExtraError, match=r"\[train\]"):
        CleanModelLoader(tiny_dir, load_in_8bit=True).load()


def test_nf4_for_training_stays_off_the_cpu_path_without_autograd(tiny_dir: Path) -> None:
    model = CleanModelLoader(tiny_dir, load_in_4bit=True, for_training=True).load().model
    flags = {
        m.support_avx512bf16_for_cpu for m in model.modules() if type(m).__name__ == "Linear4bit"
    }
    assert flags == {False}
    tuned = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear"))
    ids = torch.tensor([[271, 319, 269, 647]], device=model.device)
    tuned.eval()(ids)
    tuned.train()(ids, labels=ids).loss.backward()
    gradients = [p.grad for n, p in tuned.named_parameters() if "lora_B" in n]
    assert all(float(g.abs().sum()) > 0 for g in gradients)


def test_reading_nf4_weights_does_not_change_them(tiny_dir: Path) -> None:
    # On a CPU with AVX512-BF16, bitsandbytes' own path moved these logits by 0.04.
    model = CleanModelLoader(tiny_dir, load_in_4bit=True).load().model
    ids = torch.tensor([[271, 319, 269, 647]], device=model.device)
    before = model(ids).logits
    model.state_dict()
    assert torch.equal(model(ids).logits, before)
