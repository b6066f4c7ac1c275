"""What is saved of a model's generation settings: what its files said, and what a script set since."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, GenerationConfig

from guard import CleanModelLoader

SAMPLING = {"do_sample": True, "temperature": 0.6, "top_p": 0.9, "max_length": 77}


@pytest.fixture
def folder(tiny_dir: Path, tmp_path: Path) -> Path:
    target = tmp_path / "model"
    shutil.copytree(tiny_dir, target)
    path = target / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **SAMPLING}))
    return target


def _saved(model: Any, target: Path) -> dict[str, Any]:
    model.save_pretrained(target)
    said: dict[str, Any] = json.loads((target / "generation_config.json").read_text())
    return said


@pytest.mark.parametrize("for_training", [False, True])
def test_what_the_files_said_is_saved(folder: Path, tmp_path: Path, for_training: bool) -> None:
    raw = AutoModelForCausalLM.from_pretrained(folder)
    model, _, provenance = CleanModelLoader(folder, for_training=for_training).load()
    assert not model.generation_config.do_sample
    assert provenance.generation.effective.get("temperature") != 0.6
    assert _saved(model, tmp_path / "new") == _saved(raw, tmp_path / "old")


def test_what_a_script_sets_is_saved(folder: Path, tmp_path: Path) -> None:
    model, _, _ = CleanModelLoader(folder, for_training=True).load()
    model.generation_config.top_k = 7
    said = _saved(model, tmp_path / "new")
    assert {name: said[name] for name in (*SAMPLING, "top_k")} == {**SAMPLING, "top_k": 7}


def test_what_transformers_refuses_to_save_is_not_lost(folder: Path, tmp_path: Path) -> None:
    path = folder / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "do_sample": False}))
    model, _, _ = CleanModelLoader(folder, for_training=True).load()
    assert _saved(model, tmp_path / "new")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies(folder: Path, tmp_path: Path, copied: Any) -> None:
    model, _, _ = CleanModelLoader(folder).load()
    said = _saved(copied(model), tmp_path / "new")
    assert said["temperature"] == 0.6
    config = copied(model.generation_config)
    assert isinstance(config, GenerationConfig)
    assert "kept" not in config.to_json_string()
    assert config == model.generation_config
