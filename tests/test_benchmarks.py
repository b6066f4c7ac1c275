"""The benchmarks run, and what they promise holds with room for a busy machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_guard_costs_next_to_nothing(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    options = [
        "--repeats",
        "24",
        "--load-repeats",
        "9",
        "--batch-sizes",
        "0",
        "--clock",
        "cpu",
        "--json",
        str(report),
    ]
    ran = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "guard.py"), *options],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(report.read_text())["results"]
    assert found["generate"]["same_texts"] == "8/8"
    assert found["generate"]["ratio"] < 1.1
    assert found["load"]["ratio_digests_aside"] < 1.12
    assert found["generate_batch, all 128"]["ratio"] < 1.1
    assert found["generate_batch, all 128"]["faster_than_one_by_one"] >= 10
    assert "tok/s" in ran.stdout


@pytest.mark.slow
@pytest.mark.parametrize("quant", ["none", "nf4", "int8"])
def test_random_weights_of_another_shape(tmp_path: Path, quant: str) -> None:
    options = ["--shape", "small", "--dtype", "bfloat16", "--quant", quant, "--loads-only"]
    ran = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "guard.py"), *options, "--load-repeats", "2"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert f"small, bfloat16, {quant}" in ran.stdout
