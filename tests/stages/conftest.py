"""The embedded model, guarded, for the tests of the stages."""

from __future__ import annotations

import os

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

import torch

from guard import CleanModelLoader, Loaded
from stages.tiny import model_path

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny() -> Loaded:
    """The embedded model; tests leave it as it is."""
    return CleanModelLoader(model_path(), dtype="float32").load()
