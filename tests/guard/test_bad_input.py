"""What a caller or a disk gets wrong: each is one clear error of ours, with a remedy."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from guard import CleanModelLoader, Loaded
from guard.errors import (
    GuardError,
    MissingExtraError,
    MissingWeightsError,
    ModelNotFoundError,
    ModelTooLargeError,
    SettingsError,
    TokenizerMismatchError,
    TruncatedPromptError,
    UnguardedModelError,
)
from guard.files.devices import refuse_absent_device

Edited = Callable[..., Path]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model_id": None}, "the model is NoneType"),
        ({"model_id": 5}, "the model is int"),
        ({"model_id": b"x"}, "the model is bytes"),
        ({"model_id": " "}, "the model id is empty"),
        ({"dtype": "flaot32"}, "dtype='flaot32'"),
        ({"dtype": torch.int8}, "dtype=torch.int8"),
        ({"dtype": 16}, "dtype=16"),
        ({"load_in_8bit": "yes"}, "neither True nor False"),
        ({"trust_remote_code": 1}, "neither True nor False"),
        ({"revision": 12}, "revision=12"),
        ({"padding_side": "up"}, "padding_side='up'"),
        ({"device_map": 3.5}, "device_map=3.5"),
        ({"device_map": {"": [0]}}, "device_map="),
        ({"device_map": True}, "device_map=True"),
        ({"attn_implementation": 4}, "attn_implementation=4"),
        ({"token": 5}, "token=5"),
        ({"cache_dir": 4}, "cache_dir=4"),
        ({"max_memory": "8GB"}, "max_memory='8GB'"),
        ({"variant": 3}, "variant=3"),
        ({"tp_size": True}, "tp_size=True"),
        ({"disable_mmap": "x"}, "disable_mmap='x'"),
        ({"key_mapping": "a"}, "key_mapping='a'"),
        ({"key_mapping": {"(": "a"}}, "key_mapping has"),
        ({"key_mapping": {"a": 4}}, "key_mapping names 4"),
        ({"code_revision": 4}, "code_revision=4"),
    ],
)
def test_a_request_is_checked_before_anything_is_read(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        CleanModelLoader(**{"model_id": "x", **options})
    assert caught.value.remedy


def test_a_directory_has_no_revision(tiny_dir: Path) -> None:
    loader = CleanModelLoader(tiny_dir, revision="v2")  # `main` is a default that is handed on
    for load in (loader.load, loader.load_tokenizer):
        with pytest.raises(SettingsError, match="local directory"):
            load()


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        (None, "NoneType"),
        (5, "int"),
        (b"x", "bytes"),
        ({"role": "user"}, "dict"),
        ([{"role": "user", "content": "hi"}], "prompt 0 is dict"),
        (["x", None], "prompt 1 is NoneType"),
        ("a\ud800b", "half of a surrogate pair"),
    ],
)
def test_a_prompt_is_text(tiny: Loaded, prompt: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        CleanModelLoader.encode(tiny.tokenizer, prompt)


@pytest.mark.parametrize("length", [0, -1, "5", 2.0, True])
def test_a_length_is_a_number(tiny: Loaded, length: Any) -> None:
    with pytest.raises(SettingsError, match="max_length"):
        CleanModelLoader.encode(tiny.tokenizer, "x", max_length=length)


def test_swapped_arguments_are_told(tiny: Loaded) -> None:
    model, tokenizer, _ = tiny
    for wrong in (None, model, "x"):
        with pytest.raises(SettingsError, match="passed as the tokenizer"):
            CleanModelLoader.encode(wrong, "x")
    with pytest.raises(SettingsError, match="passed as the tokenizer"):
        CleanModelLoader.generate(tokenizer, model, "x", max_new_tokens=1)
    with pytest.raises(UnguardedModelError, match="this Loaded was not"):
        CleanModelLoader.generate(tiny, tokenizer, "x", max_new_tokens=1)  # type: ignore[arg-type]


def test_a_prompt_longer_than_the_context(tiny: Loaded) -> None:
    with pytest.raises(TruncatedPromptError, match="512 fit"):
        CleanModelLoader.generate(tiny.model, tiny.tokenizer, "cat " * 700, max_new_tokens=1)


def test_another_models_tokenizer(tiny: Loaded, llama_like: Callable[[bool], Path]) -> None:
    other = CleanModelLoader(llama_like(True)).load_tokenizer()
    with pytest.raises(TokenizerMismatchError):
        CleanModelLoader.generate(tiny.model, other, "x", max_new_tokens=1)


def test_a_tokenizer_with_more_ids_than_the_embedding_has_rows(edited: Edited) -> None:
    path = edited()
    content = json.loads((path / "tokenizer.json").read_text())
    content["model"]["vocab"]["zzzz"] = 900
    (path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(TokenizerMismatchError, match="ids up to 900") as caught:
        CleanModelLoader(path).load()
    assert caught.value.evidence["rows"] == 702


def test_a_torn_weight_file(edited: Edited) -> None:
    path = edited()
    file = path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(ModelNotFoundError, match="cannot be loaded"):
        CleanModelLoader(path).load()


def test_absent_tensors_are_not_made_up(edited: Edited) -> None:
    path = edited()
    tensors = load_file(path / "model.safetensors")
    for name in [n for n in tensors if ".layers.2." in n]:
        del tensors[name]
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(MissingWeightsError, match="random numbers") as caught:
        CleanModelLoader(path).load()
    assert all(".layers.2." in name for name in caught.value.evidence["missing"])


@pytest.mark.parametrize("metadata", [{"metadata": {}}, {}])
def test_a_missing_shard_or_a_torn_index(edited: Edited, metadata: dict[str, Any]) -> None:
    path = edited()
    names = list(load_file(path / "model.safetensors"))
    (path / "model.safetensors").rename(path / "model-00001-of-00002.safetensors")
    index = {**metadata, "weight_map": dict.fromkeys(names, "model-00002-of-00002.safetensors")}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(
        ModelNotFoundError,
        match="what is not there: model-00002-of" if metadata else "lacks 'metadata'",
    ):
        CleanModelLoader(path).load()


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_a_model_that_does_not_fit(
    tiny_dir: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", full)
    with pytest.raises(ModelTooLargeError, match="does not fit") as caught:
        CleanModelLoader(tiny_dir).load()
    assert "load_in_4bit" in caught.value.remedy


def test_what_transformers_refuses_is_passed_on(tiny_dir: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="cannot be loaded"):
        CleanModelLoader(tiny_dir, variant="fp16").load()


def test_an_attention_that_does_not_exist(tiny_dir: Path, edited: Edited) -> None:
    with pytest.raises(SettingsError, match="attn_implementation='flash9'"):
        CleanModelLoader(tiny_dir, attn_implementation="flash9").load()
    with pytest.raises(SettingsError, match=r"config\.json asks for attention 'flash9'"):
        CleanModelLoader(edited(config={"_attn_implementation": "flash9"})).load()


@pytest.mark.parametrize("bad", [None, 3])
def test_paths_are_paths(fresh: Loaded, tiny_dir: Path, bad: Any) -> None:
    with pytest.raises(SettingsError, match="adapter's directory"):
        CleanModelLoader.attach_adapter(fresh.model, bad)
    with pytest.raises(SettingsError, match="to save to"):
        CleanModelLoader(tiny_dir).save_tokenizer(bad)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", {"": "cuda:99"}, 99])
def test_a_device_that_is_not_here_is_named(tiny_dir: Path, device: Any) -> None:
    with pytest.raises(SettingsError, match="device_map=") as caught:
        CleanModelLoader(tiny_dir, device_map=device).load()
    assert caught.value.remedy


@pytest.mark.parametrize(
    "device", [None, "cpu", "auto", torch.device("cpu"), {"": "cpu"}, {"a": "disk", "b": "cpu:0"}]
)
def test_a_device_that_is_here_is_no_error(device: Any) -> None:
    refuse_absent_device(device)


def test_attention_that_is_not_installed_is_named(tiny_dir: Path) -> None:
    if find_spec("flash_attn") or find_spec("kernels"):
        pytest.skip("flash attention, or what would fetch it, is installed here")
    with pytest.raises(ImportError, match="attn_implementation='flash_attention_2'") as caught:
        CleanModelLoader(tiny_dir, attn_implementation="flash_attention_2").load()
    assert isinstance(caught.value, GuardError)
    assert "sdpa" in caught.value.remedy


def test_what_catches_the_errors_of_transformers_catches_these(
    tiny_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="nowhere") as caught:
        CleanModelLoader(tmp_path / "nowhere").load()
    assert isinstance(caught.value, ModelNotFoundError)
    loaded = CleanModelLoader(tiny_dir).load()
    with pytest.raises(ValueError, match="max_length is 1"):
        CleanModelLoader.generate(loaded.model, loaded.tokenizer, "A dog and a cat", max_length=1)


def test_a_package_that_is_absent_is_no_matter_of_attention(
    tiny_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any, **_options: Any) -> Any:
        raise ImportError("Using `device_map` requires Accelerate")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", refuse)
    with pytest.raises(MissingExtraError, match="requires Accelerate"):
        CleanModelLoader(tiny_dir, device_map="cpu").load()


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "is not JSON"), ("[]", "no JSON object"), ("[" * 100_000, "is not JSON")],
    ids=["torn", "list", "deep"],
)
def test_a_broken_config_is_named(edited: Edited, content: str, said: str) -> None:
    path = edited()
    (path / "config.json").write_text(content)
    with pytest.raises(ModelNotFoundError, match=f"config.json .*{said}"):
        CleanModelLoader(path).load()


@pytest.mark.parametrize("name", ["generation_config.json", "vocab.json", "tekken.json"])
def test_json_of_any_depth_is_no_crash(edited: Edited, name: str) -> None:
    path = edited()
    (path / name).write_text("[" * 100_000)
    with contextlib.suppress(GuardError):
        CleanModelLoader(path, dtype="float32").load()


def test_a_pickle_that_is_none_is_named(edited: Edited) -> None:
    path = edited()
    (path / "model.safetensors").rename(path / "pytorch_model.bin")
    with pytest.raises(ModelNotFoundError, match="cannot be loaded"):
        CleanModelLoader(path, allow_pickle=True).load()


def test_a_file_or_a_page_is_no_model_id(tiny_dir: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"config.json' is a file") as caught:
        CleanModelLoader(tiny_dir / "config.json").load()
    assert str(tiny_dir) in caught.value.remedy
    with pytest.raises(ModelNotFoundError, match="is a web page") as caught:
        CleanModelLoader("https://huggingface.co/Qwen/Qwen2.5-0.5B/tree/main").load()
    assert caught.value.remedy.endswith("Qwen/Qwen2.5-0.5B")
