"""A run that is killed again and again ends with the records and numbers of one that was not."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guard.records.verification import verify_file
from stages.reports.results import read_results

ARGUMENTS = ("--batch-size", "16", "--plan.resamples", "500", "--html", "false", "--suite", "qa")


def start(out: Path) -> subprocess.Popen[bytes]:
    code = "from cleanguard.cli import main; main()"
    command = [sys.executable, "-c", code, "run", "evaluate", "--out", str(out), *ARGUMENTS]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.slow
def test_ten_kills_leave_no_gap_and_no_duplicate(tmp_path: Path) -> None:
    assert start(tmp_path / "calm").wait(300) == 0
    rng = random.Random(7)
    results = tmp_path / "killed" / "results.jsonl"
    for _ in range(10):
        process = start(tmp_path / "killed")
        before, deadline = _size(results), time.monotonic() + 120
        while process.poll() is None and _size(results) == before and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(rng.random() * 0.5)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert start(tmp_path / "killed").wait(300) == 0
    calm, killed = (
        [(r.form, r.item, r.text, r.batch) for r in read_results(tmp_path / name)]
        for name in ("calm", "killed")
    )
    assert sorted(calm) == sorted(killed)
    assert len(set(killed)) == len(killed)
    reports = [
        json.loads((tmp_path / name / "report.json").read_text()) for name in ("calm", "killed")
    ]
    assert reports[0]["rates"] == reports[1]["rates"]
    assert reports[0]["slices"] == reports[1]["slices"]
    assert verify_file(results).problems == ()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
