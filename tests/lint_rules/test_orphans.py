"""Workers end when who started them is killed, also in the middle of a job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = """\
import multiprocessing, os, sys, time
from pathlib import Path
from lint_rules._engine import worker

worker._PATIENCE = 0.05

def job(connection, busy, told):
    parent = os.getppid()
    busy.write_text(str(os.getpid()))
    while os.getppid() == parent:  # the job goes on until after the parent's end
        time.sleep(0.01)
    told.write_text(str(worker.is_wanted(connection)))

context = multiprocessing.get_context("fork")
ours, theirs = context.Pipe()  # the child has both ends
process = context.Process(target=job, args=(theirs, Path(sys.argv[1]), Path(sys.argv[2])))
process.start()
process.join()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_worker_whose_parent_ends_during_a_job_ends_too(tmp_path: Path) -> None:
    busy, told = tmp_path / "busy", tmp_path / "told"
    parent = subprocess.Popen([sys.executable, "-c", SCRIPT, busy, told])
    _wait_for(busy)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    _wait_for(told)
    assert told.read_text() == "False"


def _wait_for(path: Path) -> None:
    end = time.monotonic() + 60
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end
        time.sleep(0.02)
