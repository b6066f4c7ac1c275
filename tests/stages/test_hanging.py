"""A process of a run that does not go on is told by its number, and the run can be gone on with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from cleanguard.errors import JobError
from stages.processes import hanging, ranks
from stages.processes.hanging import MARKS, mark, told_if_hanging

MAIN = "from cleanguard.cli import main; main()"
ASLEEP = """
import os, time
def late(name, real, when):
    def call(*args, **more):
        if os.environ["RANK"] == "1" and when(*args):
            time.sleep(3600)
        return real(*args, **more)
    return call
"""
IN_A_STEP = """
from stages.training.watch import Watch
Watch.on_step_begin = late("step", Watch.on_step_begin, lambda self, args, state, *_: state.global_step == 2)
"""
IN_A_BATCH = """
from guard import CleanModelLoader
seen = []
CleanModelLoader.complete = staticmethod(
    late("batch", CleanModelLoader.complete, lambda *_: seen.append(1) or len(seen) == 2)
)
"""


def run(code: str, *args: str, seconds: str = "6") -> Any:
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--no-python",
        "--nproc-per-node",
        "2",
    ]
    return subprocess.run(
        [*launcher, sys.executable, "-c", code + MAIN, "run", *args],
        capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", hanging.VARIABLE: seconds},
    )  # fmt: skip


@pytest.mark.slow
def test_a_process_that_hangs_between_two_steps_is_named(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "sft"
    args = [
        "sft", "--data", str(data), "--out", str(out), "--train.steps", "4", "--train.save-steps", "2",
        "--train.batch-size", "8",
    ]  # fmt: skip
    done = run(ASLEEP + IN_A_STEP, *args)
    assert done.returncode != 0
    assert "process 1 stands at step 2 and the others at step 3, so it hangs" in done.stderr
    done = run("", *args, seconds="200")
    assert done.returncode == 0, done.stderr
    assert "going on from checkpoint-2" in done.stderr
    assert not (out / MARKS).exists()


@pytest.mark.slow
def test_a_process_that_hangs_in_its_share_is_named(tmp_path: Path) -> None:
    out = tmp_path / "evaluate"
    args = [
        "evaluate", "--out", str(out), "--limit", "60", "--batch-size", "8", "--html", "false",
        "--base-forms", "qa", "--forms", "qa",
    ]  # fmt: skip
    done = run(ASLEEP + IN_A_BATCH, *args)
    assert done.returncode != 0
    assert "process 1 stands at its share of the records, and the others wait for it" in done.stderr
    done = run("", *args, seconds="200")
    assert done.returncode == 0, done.stderr
    assert not (out / MARKS).exists()


@pytest.mark.parametrize(
    ("quiet", "marks", "said"),
    [
        (
            [0, 1, 2],
            {0: "7", 1: "5", 2: "7"},
            "process 1 stands at step 5 and the others at step 7",
        ),
        (
            [0, 1, 2],
            {0: "7", 1: "7", 2: "7"},
            "all processes stand at step 7, so what they do toge",
        ),
        ([2], {2: "4"}, "process 2 stands at step 4, and the others wait for it"),
        ([1, 2], {1: "4", 2: "4"}, "process 1, 2 stands at step 4, and the others wait for it"),
    ],
)
def test_what_is_told(
    quiet: list[int], marks: dict[int, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    lines = {number: (at, f"step {at}", "works", "") for number, at in marks.items()}
    behind = min(int(at) for at in marks.values())
    stuck = [number for number in quiet if int(marks[number]) == behind]
    told = hanging._told(stuck, quiet, lines, 1200.0)
    assert said in told
    assert "for 1200 seconds no process of this run has gone on" in told
    assert "CLEANGUARD_HANG_SECONDS" in told


@pytest.mark.parametrize("wrong", ["soon", "-1", "inf", "nan", ""])
def test_seconds_that_are_none(wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(hanging.VARIABLE, wrong)
    with pytest.raises(JobError, match="no number of seconds"), told_if_hanging(tmp_path):
        pass


def test_one_process_leaves_no_mark(tmp_path: Path) -> None:
    with told_if_hanging(tmp_path):
        mark(1, "step 1")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_told_to_wait_for_ever_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv(hanging.VARIABLE, "0")
    with told_if_hanging(tmp_path):
        mark(1, "step 1")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("sizes", "told"), [((80, 40), True), ((80, 79), False), ((0, 0), False)])
def test_gpus_of_different_size_are_told(
    sizes: tuple[int, int],
    told: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Distributed:
        @staticmethod
        def all_gather_object(into: list[int], own: int) -> None:
            assert own == sizes[0] * 10**9
            into[:] = [size * 10**9 for size in sizes]

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(ranks, "_each_has_a_gpu", lambda: bool(sizes[0]))
    monkeypatch.setattr(ranks, "_joined", Distributed)
    monkeypatch.setattr(
        torch.cuda,
        "get_device_properties",
        lambda _: SimpleNamespace(total_memory=sizes[0] * 10**9),
    )
    ranks.tell_uneven_memory()
    assert ("GPU of process 1 has 40 GB and that of process 0 80 GB" in caplog.text) is told
