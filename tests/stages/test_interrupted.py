"""Runs that are killed, and runs in several processes; each in processes of its own."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from guard.records.verification import verify_file

pytestmark = pytest.mark.slow
KILLS = 10
COMMAND = [sys.executable, "-c", "from cleanguard.cli import main; main()", "run"]


def started(*args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def finished(*args: str) -> str:
    process = started(*args)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out


def content(path: Path) -> dict[str, Any]:
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    by_key = {one.pop("key"): one for one in found}
    assert len(by_key) == len(found), "a key stands twice"
    for one in by_key.values():
        del one["provenance"]
    return by_key


def test_ten_kills_leave_no_gap_and_no_double(tmp_path: Path) -> None:
    settings = ["--samples", "6", "--temperature", "1", "--batch-size", "4", "--critic", "logprob"]
    finished("generate", "--out", str(tmp_path / "whole"), *settings)
    whole = content(tmp_path / "whole" / "dataset.jsonl")
    rng = random.Random(0)
    data = tmp_path / "cut" / "dataset.jsonl"
    for _ in range(KILLS):
        process = started("generate", "--out", str(tmp_path / "cut"), *settings)
        before = data.stat().st_size if data.exists() else 0
        goal = before + rng.randrange(1, 60_000)
        while process.poll() is None and (not data.exists() or data.stat().st_size < goal):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert data.exists()
    finished("generate", "--out", str(tmp_path / "cut"), *settings)
    for name in ("dataset.jsonl", "dropped.jsonl"):
        mine, other = (content(tmp_path / side / name) for side in ("cut", "whole"))
        assert mine.keys() == other.keys()
        for key, record in other.items():
            logprob = mine[key].pop("logprob"), record.pop("logprob")
            assert logprob[0] == pytest.approx(logprob[1], abs=1e-4)
            assert mine[key] == record
        assert verify_file(tmp_path / "cut" / name).problems == ()
    assert content(tmp_path / "whole" / "dataset.jsonl").keys() == whole.keys()


def test_a_second_run_in_the_folder_is_refused(tmp_path: Path) -> None:
    settings = ["--out", str(tmp_path / "g"), "--samples", "4", "--temperature", "1", "--batch-size", "2"]  # fmt: skip
    first = started("generate", *settings)
    while first.poll() is None and not (tmp_path / "g" / "dataset.jsonl").exists():
        time.sleep(0.01)
    second = started("generate", *settings)
    _, err = second.communicate(timeout=120)
    first.kill()
    first.communicate()
    assert second.returncode == 2
    assert f"another run (process {first.pid}) works in this folder" in err


def test_two_processes_train_one_adapter(data: Path, tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text("from cleanguard.cli import main\nmain()\n")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", str(script)]
    settings = [
        "--data", str(data), "--out", str(tmp_path / "s"), "--train.steps", "4",
        "--train.save-steps", "2", "--train.batch-size", "8", "--holdout.eval-share", "0.1",
    ]  # fmt: skip
    done = subprocess.run(
        [*torchrun, "run", "sft", *settings], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("adapter in ") == 1
    assert verify_file(tmp_path / "s" / "adapter" / "adapter_model.safetensors").problems == ()
    names = {path.name for path in (tmp_path / "s" / "checkpoints" / "checkpoint-4").iterdir()}
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= names
    sealed = json.loads(
        (tmp_path / "s" / "checkpoints" / "checkpoint-4" / "sealed.json").read_text()
    )
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= sealed.keys()
    refused = subprocess.run(
        [*torchrun, "run", "audit", "--out", str(tmp_path / "a")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode != 0
    assert "audit works in one process" in refused.stderr
