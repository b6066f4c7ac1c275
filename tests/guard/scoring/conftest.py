"""Three models on the embedded weights, one for each way in which BOS comes to a prompt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def policies(tiny_dir: Path, llama_like: Callable[[bool], Path]) -> dict[str, Path]:
    """Directories: no BOS at all, a tokenizer that adds it, and one that should and does not."""
    return {"none": tiny_dir, "tokenizer": llama_like(True), "inserted": llama_like(False)}
