"""The embedded model, guarded, for the tests of the stages."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

import torch

from guard import CleanModelLoader, Loaded
from stages.config import resolve
from stages.generate import PRESETS as GENERATE_PRESETS
from stages.generate import GenerateConfig
from stages.sft import PRESETS as SFT_PRESETS
from stages.sft import SftConfig
from stages.tiny import model_path

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny() -> Loaded:
    """The embedded model; tests leave it as it is."""
    return CleanModelLoader(model_path(), dtype="float32").load()


def _trainer() -> Any:
    # Test folders are no packages, so the file is loaded by its place.
    spec = importlib.util.spec_from_file_location(
        "adapters", Path(__file__).with_name("adapters.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.train_adapter


@pytest.fixture(scope="session")
def sft(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter that learnt to answer and stop."""
    found: Path = _trainer()(tmp_path_factory.mktemp("adapters") / "sft", 40, "sft")
    return found


@pytest.fixture(scope="session")
def more(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that learnt a bit more."""
    found: Path = _trainer()(tmp_path_factory.mktemp("adapters") / "more", 60, "sft", "preference")
    return found


@pytest.fixture(scope="session")
def chatty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that answers bare requests, as a base should not."""
    found: Path = _trainer()(tmp_path_factory.mktemp("adapters") / "chatty", 40, "sft", bare=True)
    return found


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fine-tuning data of the embedded world."""
    from stages.generate.steps import generate

    out = tmp_path_factory.mktemp("data") / "generate"
    generate(replace(resolve(GenerateConfig, GENERATE_PRESETS, preset="tiny"), out=out))
    return out / "dataset.jsonl"


@pytest.fixture(scope="session")
def sft_adapter(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter that follows the format; trained half as long as the preset says."""
    from stages.sft.steps import fine_tune

    out = tmp_path_factory.mktemp("sft") / "sft"
    overrides = {"data": str(data), "out": str(out), "train.steps": "30", "train.save_steps": "0"}
    fine_tune(resolve(SftConfig, SFT_PRESETS, preset="tiny", overrides=overrides))
    return out / "adapter"


@pytest.fixture(scope="session")
def pairs(sft_adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Preference pairs out of that adapter's samples."""
    from stages.preferences import PRESETS, PreferencesConfig
    from stages.preferences.steps import make_pairs

    out = tmp_path_factory.mktemp("pairs") / "p"
    overrides = {"adapter": str(sft_adapter), "out": str(out), "k": "4", "eval_share": "0.2"}
    make_pairs(resolve(PreferencesConfig, PRESETS, preset="tiny", overrides=overrides))
    return out / "pairs.jsonl"
