"""Damaged folders end in a GuardError or in a load that is what its record says; fuzz.py runs many more."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig, AutoModelForCausalLM

from guard import CleanModelLoader, GuardError
from guard.errors import MissingWeightsError, ModelNotFoundError
from guard.provenance.tensors import BrokenSafetensors, tensor_digests
from tests.guard.zoo.fuzz import run

CASES = 60
# What read_model makes of these is a matter of the weights, and tested beside them.
FAMILIES = ("llama", "gpt2", "gpt_neox")


@pytest.fixture(scope="session")
def folders(tiny_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    home = tmp_path_factory.mktemp("fuzz")
    found = [Path(shutil.copytree(tiny_dir, home / "plain"))]
    slow = Path(shutil.copytree(tiny_dir, home / "both"))
    model = json.loads((slow / "tokenizer.json").read_text())["model"]
    (slow / "vocab.json").write_text(json.dumps(model["vocab"]))
    (slow / "special_tokens_map.json").write_text('{"eos_token": "<|endoftext|>"}')
    more = Path(shutil.copytree(tiny_dir, home / "templates"))
    (more / "additional_chat_templates").mkdir()
    shutil.copy(more / "chat_template.jinja", more / "additional_chat_templates" / "tool.jinja")
    found += [slow, more]
    for kind in FAMILIES:
        folder = Path(shutil.copytree(tiny_dir, home / kind))
        (folder / "model.safetensors").unlink()
        (folder / "config.json").unlink()
        sizes = {
            "vocab_size": 702,
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
        }
        sizes |= {"intermediate_size": 16, "bos_token_id": None, "eos_token_id": 0}
        config = AutoConfig.for_model(kind, **sizes)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
        found.append(folder)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_no_raw_exception_and_no_wrong_record(folders: list[Path], seed: int) -> None:
    ends, wrong = run(folders, CASES, seed)
    assert not wrong, "\n".join(wrong)
    assert ends["loaded"] > CASES // 10
    assert sum(ends.values()) == CASES


@pytest.mark.parametrize(
    ("file", "change", "error", "said"),
    [
        (
            "config.json",
            {"rope_parameters": {"rope_type": "default", "rope_theta": []}},
            ModelNotFoundError,
            "config.json|cannot be loaded",
        ),
        ("config.json", {"num_key_value_heads": 0}, ModelNotFoundError, "num_key_value_heads is 0"),
        ("config.json", {"hidden_size": "x"}, ModelNotFoundError, "no configuration of a model"),
        ("config.json", {"hidden_size": 96}, MissingWeightsError, "another shape"),
        ("generation_config.json", {"pad_token_id": ".."}, ModelNotFoundError, "cannot be loaded"),
    ],
    ids=["list", "no heads", "a word", "other shapes, tied", "settings"],
)
def test_values_of_another_kind_are_named(
    edited: Callable[..., Path], file: str, change: Any, error: type[GuardError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        CleanModelLoader(edited(**{file.removesuffix(".json"): change})).load()
    assert caught.value.remedy


def test_a_panic_of_tokenizers_is_named(llama_like: Callable[[bool], Path]) -> None:
    path = llama_like(True)
    content = json.loads((path / "tokenizer.json").read_text())
    content["post_processor"]["special_tokens"] = {}
    (path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ModelNotFoundError, match="cannot be loaded") as caught:
        CleanModelLoader(path).load_tokenizer()
    assert caught.value.remedy


@pytest.mark.parametrize(
    "header",
    [
        {"a": 3},
        {"a": {"dtype": "F32", "shape": [2]}},
        {"a": {"dtype": 1, "shape": [2], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": ["2"], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0]}},
    ],
)
def test_a_header_that_describes_no_tensors(tmp_path: Path, header: Any) -> None:
    content = json.dumps(header).encode()
    file = tmp_path / "model.safetensors"
    file.write_bytes(len(content).to_bytes(8, "little") + content + bytes(8))
    with pytest.raises(BrokenSafetensors):
        tensor_digests([file])
