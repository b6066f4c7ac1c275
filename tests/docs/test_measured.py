"""What each hazard does, shown with the libraries alone; the pages of the hazards name these tests.

No guard stands in the way here, so that the page's claim is about transformers, peft and torch.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from guard import CleanModelLoader
from stages.tiny import model_path
from tools.measured import MEASURED

ROOT = Path(__file__).resolve().parents[2]
PROMPT = "The capital of France is"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The embedded model's own folder, to be spoilt."""
    return Path(shutil.copytree(model_path(), tmp_path / "model"))


def raw(path: Path, **options: Any) -> Any:
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, **options).eval()


def logits(model: Any) -> torch.Tensor:
    ids = AutoTokenizer.from_pretrained(model_path())(PROMPT, return_tensors="pt").input_ids
    with torch.no_grad():
        return model(input_ids=ids).logits


def test_every_hazard_has_a_measurement_that_exists() -> None:
    from cleanguard.catalogue.hazards import CATALOGUE

    assert set(MEASURED) == {hazard.code for hazard in CATALOGUE}
    for code, nodes in MEASURED.items():
        for node in nodes:
            file, _, name = node.partition("::")
            assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), (code, node)


def test_a_stray_adapter_is_loaded_under_the_name_of_the_base(folder: Path) -> None:
    """CG101, CG109: neither the class, nor the call, nor the config says that it is no base."""
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(raw(folder), LoraConfig(target_modules=["q_proj", "v_proj"], r=4))
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.5)
    adapted.save_pretrained(folder)
    base, spoilt = raw(Path(model_path())), raw(folder)
    assert type(spoilt) is type(base)
    assert spoilt.config._name_or_path == str(folder)
    assert not torch.allclose(logits(base), logits(spoilt), atol=0.1)


def test_a_quantization_config_takes_any_keyword() -> None:
    """CG104: `bnb_8bit_quant_type` does not exist, and 4-bit without a type is fp4."""
    made = BitsAndBytesConfig(load_in_4bit=True, bnb_8bit_quant_type="nf8", no_such_option=1)
    assert made.bnb_4bit_quant_type == "fp4"
    assert not hasattr(made, "bnb_8bit_quant_type")


def test_a_repositorys_python_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CG106: with the rights of who loads it, before any weight is read."""
    monkeypatch.setenv("HF_MODULES_CACHE", str(folder.parent / "modules"))
    marker = folder.parent / "ran"
    (folder / "configuration_own.py").write_text(
        "from pathlib import Path\nfrom transformers import Qwen2Config\n"
        f"Path({str(marker)!r}).touch()\n\n\nclass OwnConfig(Qwen2Config):\n    model_type = 'own'\n",
        encoding="utf-8",
    )
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "configuration_own.OwnConfig"}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    AutoConfig.from_pretrained(folder, trust_remote_code=True)
    assert marker.exists()


class _Runs:
    """What runs when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


def test_a_pickle_runs_code_when_it_is_read(tmp_path: Path) -> None:
    """CG107: torch reads `.bin` files with `weights_only=True` today; older releases and code did not."""
    weights, marker = tmp_path / "pytorch_model.bin", tmp_path / "ran"
    torch.save({"a": _Runs(marker)}, weights)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(weights, weights_only=True)
    assert not marker.exists()
    torch.load(weights, weights_only=False)
    assert marker.exists()


def test_unseeded_samples_are_other_texts(folder: Path) -> None:
    """CG304: the generator's state decides, and a script that sets none begins with another each time."""
    model, tokenizer = raw(folder), AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(PROMPT, return_tensors="pt")

    def sampled(seed: int) -> str:
        torch.manual_seed(seed)
        ids = model.generate(**batch, do_sample=True, temperature=5.0, top_k=0, max_new_tokens=8)
        return tokenizer.decode(ids[0])

    assert sampled(1) == sampled(1)
    assert len({sampled(seed) for seed in range(4)}) == 4


def test_load_returns_three_values() -> None:
    """CG601: two names are an error, after minutes of loading weights."""
    with pytest.raises(ValueError, match="too many values"):
        _model, _tokenizer = CleanModelLoader(model_path()).load()


def test_an_old_loaders_keyword_is_an_error_at_the_call(folder: Path) -> None:
    """CG602: told by the guard with what to write; a plain TypeError in other loaders."""
    loader = CleanModelLoader(folder)
    model, tokenizer, _ = loader.load()
    with pytest.raises(TypeError):
        loader.generate(model, tokenizer, PROMPT, max_tokens=4)  # type: ignore[call-arg]
