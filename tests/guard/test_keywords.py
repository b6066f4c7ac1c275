"""Every keyword of transformers' loads is taken, or refused with what to do instead."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers.models.auto.auto_factory import _BaseAutoModelClass

from guard import CleanModelLoader
from guard.errors import GuardError, LoaderCallError, ModelNotFoundError, SettingsError
from guard.loader import LOADER_KEYWORDS

SIGNATURES = Path(__file__).parents[2] / "lint_rules" / "_questions" / "signatures.json"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def _keywords_of_transformers() -> list[str]:
    """Those of the installed version, read off its source, and of every version in the tables."""
    found: set[str] = set()
    for function in (
        transformers.PreTrainedModel.from_pretrained,
        _BaseAutoModelClass.from_pretrained,
    ):
        found |= set(re.findall(r'kwargs\.(?:pop|get)\("(\w+)"', inspect.getsource(function)))
        found |= {
            name
            for name, p in inspect.signature(function).parameters.items()
            if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        }
    for version in json.loads(SIGNATURES.read_text())["transformers"].values():
        for name, call in _calls(version):
            if name == "model.from_pretrained":
                found |= set(call["keywords"])
    return sorted(name for name in found if not name.startswith("_"))


def _calls(tree: Any) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(tree, dict):
        return []
    here = [(k, v) for k, v in tree.items() if isinstance(v, dict) and "keywords" in v]
    return here + [found for value in tree.values() for found in _calls(value)]


KEYWORDS = _keywords_of_transformers()


def test_the_list_of_keywords_is_no_fragment() -> None:
    assert {"subfolder", "proxies", "device_map", "state_dict", "resume_download"} <= set(KEYWORDS)


@pytest.mark.parametrize("keyword", [k for k in KEYWORDS if k not in LOADER_KEYWORDS])
def test_a_keyword_of_transformers_that_is_not_taken_says_why(keyword: str) -> None:
    with pytest.raises(LoaderCallError) as caught:
        CleanModelLoader("someone/model", **{keyword: None})
    remedy = caught.value.remedy
    assert re.match(r"leave it out|write `|say `|name |convert |save |load the base|", remedy)
    assert "did you mean" not in remedy
    assert "it takes" not in remedy


def test_new_keywords_reach_transformers(tiny_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    real = transformers.AutoModelForCausalLM.from_pretrained

    def spy(*args: Any, **options: Any) -> Any:
        seen.update(options)
        return real(*args, **options)

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", spy)
    CleanModelLoader(
        tiny_dir, offload_buffers=True, key_mapping={"^never$": "x"}, device_map=None
    ).load()
    assert seen["offload_buffers"] is True
    assert seen["key_mapping"] == {"^never$": "x"}
    assert "device_map" not in seen
    assert "tp_size" not in seen


def test_a_keyword_that_this_transformers_lacks_is_named(
    tiny_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def old(*_args: Any, disable_mmap: Any = None, **_options: Any) -> Any:
        raise TypeError(
            "Qwen2ForCausalLM.__init__() got an unexpected keyword argument 'disable_mmap'"
        )

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", old)
    with pytest.raises(SettingsError, match=r"transformers \d.* has no keyword 'disable_mmap'"):
        CleanModelLoader(tiny_dir, disable_mmap=True).load()


def test_a_type_error_of_another_cause_is_no_unknown_keyword(
    tiny_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any, **_options: Any) -> Any:
        raise TypeError("something else")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", broken)
    with pytest.raises(GuardError, match="something else") as caught:
        CleanModelLoader(tiny_dir, disable_mmap=True).load()
    assert "has no keyword" not in str(caught.value)
    assert isinstance(caught.value.__cause__, TypeError)


def test_a_subfolder_of_a_directory_is_the_model(tiny_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "final").symlink_to(tiny_dir)
    _, _, provenance = CleanModelLoader(tmp_path, subfolder="final").load()
    assert Path(provenance.model.path) == tiny_dir.resolve()
    assert "model.safetensors" in {file.name for file in provenance.model.files}


def test_a_subfolder_of_a_repository_is_the_model(
    tiny_dir: Path, tmp_path: Path, hub_cache: Callable[..., None]
) -> None:
    hub_cache(tiny_dir, tmp_path, "someone/tiny", COMMIT)
    snapshot = tmp_path / "models--someone--tiny" / "snapshots" / COMMIT
    inner = snapshot / "step-100"
    inner.mkdir()
    for link in [path for path in snapshot.iterdir() if path.is_symlink()]:
        (inner / link.name).symlink_to(link.resolve())
        link.unlink()
    loader = CleanModelLoader("someone/tiny", subfolder="step-100", cache_dir=tmp_path)
    provenance = loader.load().provenance
    assert provenance.revision == COMMIT
    assert Path(provenance.model.path) == inner.resolve()
    assert loader.load_tokenizer()("3 plus")["input_ids"]
    with pytest.raises(ModelNotFoundError, match="step-200"):
        CleanModelLoader("someone/tiny", subfolder="step-200", cache_dir=tmp_path).load()


@pytest.mark.parametrize("subfolder", ["../other", "/etc", "a/../../b", 5])
def test_a_subfolder_stays_inside(tiny_dir: Path, subfolder: Any) -> None:
    with pytest.raises(SettingsError, match="subfolder="):
        CleanModelLoader(tiny_dir, subfolder=subfolder)


def test_an_absent_subfolder_is_named(tiny_dir: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"step-9 is no directory"):
        CleanModelLoader(tiny_dir, subfolder="step-9").load()


def test_fetching_anew_without_a_network_is_a_contradiction() -> None:
    with pytest.raises(SettingsError, match="both set"):
        CleanModelLoader("someone/tiny", force_download=True, local_files_only=True)
    with pytest.raises(SettingsError, match="HF_HUB_OFFLINE"):
        CleanModelLoader("someone/tiny", force_download=True).load()


def test_the_digest_of_a_variant_is_of_its_own_file(tiny_dir: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    target = tmp_path / "two"
    shutil.copytree(tiny_dir, target)
    tensors = load_file(target / "model.safetensors")
    first = CleanModelLoader(target).load().provenance.model.weights
    save_file(
        {name: tensor * 2 for name, tensor in tensors.items()},
        target / "model.double.safetensors",
        {"format": "pt"},
    )
    model, _, provenance = CleanModelLoader(target, variant="double").load()
    name = "model.embed_tokens.weight"
    assert model.state_dict()[name].float().equal(tensors[name].float() * 2)
    assert provenance.model.weights.digest != first.digest
    assert CleanModelLoader(target).load().provenance.model.weights == first
