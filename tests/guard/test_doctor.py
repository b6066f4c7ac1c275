from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from guard import CleanModelLoader
from guard.doctor import Diagnosis, diagnose
from guard.errors import RemoteCodeError
from guard.files.weights import weight_sizes

Edited = Callable[..., Path]


def look(path: Path | str, **options: object) -> Diagnosis:
    return diagnose(CleanModelLoader(path, **options).request)  # type: ignore[arg-type]


def codes(found: Diagnosis) -> dict[str, bool]:
    return {remark.code: remark.refused for remark in found.remarks}


def test_it_agrees_with_load(tiny_dir: Path) -> None:
    found, loaded = look(tiny_dir), CleanModelLoader(tiny_dir).load()
    assert not found.refused
    assert found.weights is not None
    assert found.weights.parameters == loaded.provenance.model.parameters
    assert found.context == loaded.provenance.model.context
    assert found.architecture == loaded.provenance.model.architecture
    assert tuple(i for i, _ in found.control) == loaded.provenance.tokenizer.control_ids
    assert {t.name: t.sha256 for t in found.templates} == loaded.provenance.tokenizer.templates
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()


@pytest.mark.parametrize("adds_bos", [True, False])
def test_bos(llama_like: Callable[[bool], Path], adds_bos: bool) -> None:
    found = look(llama_like(adds_bos))
    assert found.family == "llama3"
    assert (found.bos_prefix, found.bos_tokens) == ((1,), ("<|begin_of_text|>",))
    assert ("CG201" in codes(found)) is not adds_bos


def test_pickled_gguf_and_missing_weights(edited: Edited) -> None:
    path = edited()
    (path / "model.safetensors").rename(path / "pytorch_model.bin")
    assert codes(look(path))["CG107"]
    (path / "pytorch_model.bin").rename(path / "model.gguf")
    found = look(path)
    assert "only GGUF" in found.remarks[0].text
    assert found.weights is None
    assert found.refused


def test_remote_code_is_noted(edited: Edited) -> None:
    found = look(edited(config={"auto_map": {"AutoModelForCausalLM": "own.Own"}}))
    assert codes(found)["CG106"] is False


def test_usual_settings_are_no_surprise(edited: Edited) -> None:
    usual = {"do_sample": False, "temperature": 1.0, "eos_token_id": [0], "pad_token_id": 0}
    assert look(edited(generation_config=usual)).generation == {}
    # What save_pretrained of transformers 5 writes for a model of its own.
    usual |= {"use_cache": True, "output_attentions": False, "output_hidden_states": False}
    usual |= {"num_beams": 1, "top_k": 50, "repetition_penalty": 1.0, "_from_model_config": True}
    assert "CG303" not in codes(look(edited(generation_config=usual)))
    odd = {"repetition_penalty": 1.05, "top_k": 20}
    assert look(edited(generation_config=odd)).generation == odd


def test_hub_ids_speak_for_themselves(
    tiny_dir: Path, tmp_path: Path, hub_cache: Callable[..., None]
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(tiny_dir, bare, ignore=shutil.ignore_patterns("*.safetensors"))
    for repo, standing in (("Qwen/Qwen2.5-0.5B", "base"), ("Qwen/Qwen2.5-0.5B-Instruct", "chat")):
        hub_cache(bare, tmp_path, repo, "0" * 40)
        found = look(repo, cache_dir=tmp_path)
        assert (found.standing, found.refused) == (standing, standing == "chat")
        assert (found.revision, found.weights) == ("0" * 40, None)


def test_headers_of_sharded_weights(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(3, 5)}, tmp_path / "1.safetensors", metadata={"format": "pt"})
    save_file({"b": torch.zeros(2, dtype=torch.int8)}, tmp_path / "2.safetensors")
    found = weight_sizes(sorted(tmp_path.iterdir()))
    assert found is not None
    assert (found.files, found.parameters, found.dtypes) == (2, 17, {"F32": 15, "I8": 2})
    for content in (b"", b"\x08\0\0\0\0\0\0\0notjson!"):
        (tmp_path / "torn.safetensors").write_bytes(content)
        with pytest.raises(ValueError, match=r"torn\.safetensors"):
            weight_sizes([tmp_path / "torn.safetensors"])


def test_code_is_not_run_unpinned_to_look_at_it(
    edited: Edited, tmp_path: Path, hub_cache: Callable[..., None]
) -> None:
    path = edited(tokenizer_config={"auto_map": {"AutoTokenizer": ["own.Own", None]}})
    (path / "own.py").write_text("raise SystemExit('this ran')\n")
    commit = "0123456789abcdef0123456789abcdef01234567"
    hub_cache(path, tmp_path / "cache", "someone/own", commit)
    loader = CleanModelLoader("someone/own", cache_dir=tmp_path / "cache", trust_remote_code=True)
    with pytest.raises(RemoteCodeError, match="revision=None") as caught:
        diagnose(loader.request)
    assert commit in caught.value.remedy
