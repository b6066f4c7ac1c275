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
    options = ["--repeats", "1", "--load-repeats", "1", "--batch-sizes", "0", "--count"]
    ran = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "guard.py"), *options, "--json", str(report)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(report.read_text())["results"]
    assert found["generate"]["same_texts"] == "8/8"
    # Counted, for times are not the same on a busy machine; the times are in docs/performance.md.
    load = found["load counts"]
    assert load["raw"]["function calls"] > 20_000
    assert load["ratios"]["function calls"] < 1.25
    assert load["guarded"]["operators"] <= load["raw"]["operators"]
    counts = found["counts"]
    assert counts["raw"]["operators"] > 20_000
    # The guard's own loop has fewer, its look at NaN included.
    assert counts["guarded"]["operators"] <= counts["raw"]["operators"]
    assert counts["ratios"]["function calls"] < 1.05
    # 128 prompts in a batch take hardly more operators than one.
    batch = found["batch counts"]
    assert batch["guarded"]["operators"] < 12 * counts["guarded"]["operators"]
    assert batch["ratios"]["operators"] < 1.05
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


def scale(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "scale.py"), *args],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_stages_are_measured_and_compared(tmp_path: Path) -> None:
    made = scale("data", "--rows", "24", "--tokens", "60", "--to", str(tmp_path))
    assert made.returncode == 0, made.stderr
    for name, size in (("one", "8"), ("two", "24")):
        ran = scale(
            "measure", str(tmp_path / f"{name}.json"), "run", "generate", "--count", "24",
            "--batch-size", size, "--out", str(tmp_path / name),
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        found = json.loads((tmp_path / f"{name}.rank0.json").read_text())
        assert len(found["calls"]) == 24 // int(size)
        assert found["tokens"] == sum(call["tokens"] for call in found["calls"]) > 24
        assert len(found["ids"]) == 12  # two instructions each put the same text
    assert '"same": true' in scale("same-ids", *(str(tmp_path / f"{n}.json") for n in ("one", "two"))).stdout  # fmt: skip
    assert '"same": true' in scale("same", *(str(tmp_path / n) for n in ("one", "two")), "dataset.jsonl").stdout  # fmt: skip
    trained = scale(
        "measure", str(tmp_path / "sft.json"), "run", "sft", "--data",
        str(tmp_path / "data" / "dataset.jsonl"), "--out", str(tmp_path / "sft"),
        "--train.steps", "4", "--train.max-length", "512", "--train.batch-size", "4",
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    found = json.loads((tmp_path / "sft.rank0.json").read_text())
    assert found["steps"] == 4
    assert found["tokens_per_s"] == pytest.approx(4 * found["tokens_per_row"] / found["step_s"])


def test_budgets_stand_in_the_docs_and_count_the_published_parameters() -> None:
    sys.path.insert(0, str(ROOT))
    try:
        from benchmarks._budget import shape_of, table, training
    finally:
        sys.path.remove(str(ROOT))
    for name, billions in (("qwen2.5-7b", 7.62), ("qwen2.5-32b", 32.76)):
        shape = shape_of(name)
        assert (shape.linear + shape.embeddings) / 1e9 == pytest.approx(billions, abs=0.01)
    assert table() in (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    # What an H100 measured for the 7B's shape, 8 rows of 661 tokens: 8.53 and 19.10 GB.
    for quant, adam, measured in (("nf4", 2, 8.53), ("none", 8, 19.10)):
        found = training("qwen2.5-7b", quant, rows=8, tokens=661, adam=adam)
        assert sum(found.values()) / 1e9 == pytest.approx(measured, rel=0.05)
