"""Every stage, killed ten times at any moment, ends with what a calm run leaves: no gap, no double."""

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
# Records differ in who wrote them and when; adapters, and what a report computes, do not.
REPORTED = ("rates", "slices", "cells", "claims", "agreement", "verdict", "findings", "words")
TRAIN = ("--train.steps", "12", "--train.save-steps", "2", "--train.log-steps", "1")
STAGES: dict[str, tuple[str, ...]] = {
    "sft": ("--data", "{data}", *TRAIN),
    "preferences": ("--adapter", "{sft}", "--k", "4", "--batch-size", "32"),
    "dpo": ("--data", "{pairs}", "--sft", "{sft}", *TRAIN),
    "differentiate": (
        "--adapters", "sft={sft}", "--temperatures", "0.3,0.9", "--samples", "1",
        "--batch-size", "16", "--plan.resamples", "200", "--html", "false",
    ),
    "equivalence": ("--batch-size", "16"),
    "audit": ("--adapter", "{sft}", "--batch-size", "16"),
}  # fmt: skip


def start(*args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def finish(*args: str) -> None:
    process = start(*args)
    _, said = process.communicate(timeout=600)
    # An audit of an adapter that answers finds a contaminated base: exit code 1.
    assert process.returncode in (0, 1), said


def weight(folder: Path) -> int:
    """Bytes in a folder, whose files and folders come and go meanwhile."""
    total = 0
    # Path.rglob raises if a folder is gone that it has just listed: an old checkpoint, by a live run.
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(where) / name).stat().st_size
            except OSError:
                continue
    return total


def kill_at_random(rng: random.Random, out: Path, reach: int, *args: str) -> None:
    """Kill a run once it wrote a random amount, or at a random moment after it began."""
    process = start(*args)
    goal, latest = weight(out) + rng.randrange(1, reach), time.monotonic() + rng.uniform(2, 20)
    while process.poll() is None and weight(out) < goal and time.monotonic() < latest:
        time.sleep(0.005)
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.communicate()


def left_behind(folder: Path) -> dict[str, Any]:
    """What counts in a run's folder, by file."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if "checkpoints" in name:
            continue
        if path.suffix == ".safetensors":
            found[name] = path.read_bytes()
        elif path.name == "metrics.jsonl":
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            found[name] = [(line["step"], line["loss"]) for line in lines if "loss" in line]
        elif path.suffix == ".jsonl":
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            assert len({line["key"] for line in lines}) == len(lines), f"a double in {name}"
            found[name] = {line.pop("key"): _plain(line) for line in lines}
        elif name.endswith(("report.json", "audit.json", "equivalence.json")):
            report = json.loads(path.read_text())
            found[name] = {key: report[key] for key in REPORTED if key in report}
    return found


def _plain(line: dict[str, Any]) -> dict[str, Any]:
    del line["provenance"]
    return line


def put(words: tuple[str, ...], paths: dict[str, Path]) -> list[str]:
    return [word.format(**paths) for word in words]


@pytest.mark.parametrize("stage", STAGES)
def test_ten_kills_change_nothing(
    stage: str, data: Path, sft_adapter: Path, pairs: Path, tmp_path: Path
) -> None:
    words = put(STAGES[stage], {"data": data, "sft": sft_adapter, "pairs": pairs})
    calm, cut = tmp_path / "calm", tmp_path / "cut"
    finish(stage, "--out", str(calm), *words)
    rng = random.Random(stage)
    reach = max(2, weight(calm) // 4)
    for _ in range(KILLS):
        kill_at_random(rng, cut, reach, stage, "--out", str(cut), *words)
    finish(stage, "--out", str(cut), *words)
    wanted = left_behind(calm)
    assert wanted
    assert left_behind(cut) == wanted
    for name in wanted:
        if not name.endswith(("metrics.jsonl", "lineage.json")):
            assert verify_file(cut / name).ok, name


def test_ten_kills_of_the_chain_change_nothing(tmp_path: Path) -> None:
    # A loss is logged as the mean since the last one, so it is only comparable where checkpoints are.
    words = [
        "--sft.train.steps", "20", "--sft.train.save-steps", "5", "--sft.train.log-steps", "5",
        "--dpo.train.steps", "8", "--dpo.train.save-steps", "2", "--dpo.train.log-steps", "2",
        "--preferences.k", "4", "--evaluate.limit", "60",
        "--evaluate.plan.resamples", "200", "--evaluate.html", "false",
    ]  # fmt: skip
    calm, cut = tmp_path / "calm", tmp_path / "cut"
    finish("chain", "--out", str(calm), *words)
    rng = random.Random(0)
    for _ in range(KILLS):
        kill_at_random(rng, cut, weight(calm) // 6, "chain", "--out", str(cut), *words)
    finish("chain", "--out", str(cut), *words)
    assert left_behind(cut) == left_behind(calm)
