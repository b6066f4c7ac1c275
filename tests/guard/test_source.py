"""Where a model is taken from: revisions, the hub cache, remote code, files that are refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from guard import CleanModelLoader
from guard.errors import (
    ChatModelError,
    MissingWeightsError,
    ModelNotFoundError,
    RemoteCodeError,
)

FIRST = "0123456789abcdef0123456789abcdef01234567"
SECOND = "89abcdef0123456789abcdef0123456789abcdef"
HubCache = Callable[..., None]
Edited = Callable[..., Path]


def verdicts(provenance: object) -> dict[str, tuple[str, str]]:
    return {c.name: (c.verdict, c.detail) for c in provenance.checks}  # type: ignore[attr-defined]


def test_a_branch_is_resolved_to_its_commit(
    tiny_dir: Path, tmp_path: Path, hub_cache: HubCache
) -> None:
    hub_cache(tiny_dir, tmp_path, "someone/tiny", FIRST)
    model, _, provenance = CleanModelLoader("someone/tiny", cache_dir=tmp_path).load()
    assert provenance.revision == FIRST
    assert provenance.model.kind == "hub"
    assert {c.code: c.verdict for c in provenance.checks}["CG105"] == "recorded"
    blobs = {path.name for path in (tmp_path / "models--someone--tiny" / "blobs").iterdir()}
    assert {file.sha256 for file in provenance.model.files} <= blobs
    assert model.config._name_or_path == "someone/tiny"


@pytest.mark.parametrize(
    ("revision", "commit"), [(None, FIRST), ("main", FIRST), ("v2", SECOND), (SECOND, SECOND)]
)
def test_the_revision_that_was_asked_for_is_loaded(
    tiny_dir: Path,
    tmp_path: Path,
    edited: Edited,
    hub_cache: HubCache,
    revision: str | None,
    commit: str,
) -> None:
    cache = tmp_path / "cache"
    hub_cache(tiny_dir, cache, "someone/tiny", FIRST)
    hub_cache(edited(config={"rms_norm_eps": 0.5}), cache, "someone/tiny", SECOND, "v2")
    loader = CleanModelLoader("someone/tiny", revision=revision, cache_dir=cache)
    model, _, provenance = loader.load()
    assert provenance.revision == commit
    assert provenance.model.revision_requested == revision
    assert model.config.rms_norm_eps == (0.5 if commit == SECOND else 1e-6)
    pinned = {c.code: c.verdict for c in provenance.checks}["CG105"]
    assert pinned == ("pass" if revision == SECOND else "recorded")


@pytest.mark.slow
def test_hf_home_is_respected_offline(tiny_dir: Path, tmp_path: Path, hub_cache: HubCache) -> None:
    hub_cache(tiny_dir, tmp_path / "hub", "someone/tiny", FIRST)
    code = (
        "from guard import CleanModelLoader as C; "
        "print(C('someone/tiny', local_files_only=True).load().provenance.revision)"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == FIRST, done.stderr[-2000:]


def test_an_unknown_revision_is_named(tiny_dir: Path, tmp_path: Path, hub_cache: HubCache) -> None:
    hub_cache(tiny_dir, tmp_path, "someone/tiny", FIRST)
    with pytest.raises(ModelNotFoundError, match=r"revision v9.*not in the hub cache"):
        CleanModelLoader("someone/tiny", revision="v9", cache_dir=tmp_path).load()


def test_a_chat_id_is_refused_before_any_weight_is_there(
    tiny_dir: Path, tmp_path: Path, hub_cache: HubCache
) -> None:
    hub_cache(tiny_dir, tmp_path, "someone/tiny-Instruct", FIRST)
    with pytest.raises(ChatModelError, match="names a chat model"):
        CleanModelLoader("someone/tiny-Instruct", cache_dir=tmp_path).load()


def test_remote_code_needs_a_pin(tmp_path: Path, edited: Edited, hub_cache: HubCache) -> None:
    coded = edited(config={"auto_map": {"AutoModelForCausalLM": "modeling.Tiny"}})
    hub_cache(coded, tmp_path / "cache", "someone/tiny", FIRST)
    loader = CleanModelLoader("someone/tiny", cache_dir=tmp_path / "cache", trust_remote_code=True)
    for load in (loader.load, loader.load_tokenizer):
        with pytest.raises(RemoteCodeError, match=FIRST):
            load()


def test_trusting_a_model_without_code_does_nothing_and_says_so(
    tiny_dir: Path, tmp_path: Path, hub_cache: HubCache
) -> None:
    hub_cache(tiny_dir, tmp_path, "someone/tiny", FIRST)
    loader = CleanModelLoader("someone/tiny", cache_dir=tmp_path, trust_remote_code=True)
    provenance = loader.load().provenance
    assert provenance.overrides == ("trust_remote_code",)
    assert verdicts(provenance)["no-remote-code"] == (
        "pass",
        "trust_remote_code=True, but the model has no code of its own",
    )


def test_code_that_is_not_trusted_is_named(edited: Edited) -> None:
    path = edited(
        config={
            "model_type": "own",
            "auto_map": {"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M"},
        }
    )
    (path / "own.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(RemoteCodeError, match="brings its own code"):
        CleanModelLoader(path).load()


def test_trusted_local_code_runs_and_is_recorded(edited: Edited) -> None:
    path = edited(config={"auto_map": {"AutoModelForCausalLM": "own.Own"}})
    (path / "own.py").write_text(
        "from transformers import Qwen2ForCausalLM\nclass Own(Qwen2ForCausalLM):\n    pass\n"
    )
    model, _, provenance = CleanModelLoader(path, trust_remote_code=True).load()
    assert type(model).__name__ == "Own"
    assert verdicts(provenance)["no-remote-code"][0] == "overridden"
    assert "own.py" in {file.name for file in provenance.model.files}


def test_gguf_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "model-q4.gguf").write_bytes(b"GGUF")
    for path in (tmp_path, tmp_path / "model-q4.gguf"):
        with pytest.raises(MissingWeightsError, match="only GGUF") as caught:
            CleanModelLoader(path).load()
        assert "another runtime" in str(caught.value)


def test_a_file_is_no_directory(tiny_dir: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"is a file\n.*name its directory"):
        CleanModelLoader(tiny_dir / "model.safetensors").load()


def test_a_directory_of_gguf_still_has_its_tokenizer(tiny_dir: Path, edited: Edited) -> None:
    path = edited()
    (path / "model.safetensors").rename(path / "model.gguf")
    assert CleanModelLoader(path).load_tokenizer()("A dog")["input_ids"]
    assert json.loads((path / "config.json").read_text())
