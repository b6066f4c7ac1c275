from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., object]


def test_prints_the_session(run: Run) -> None:
    ran = run("env")
    assert (ran.code, ran.err) == (0, "")
    session = json.loads(ran.out)
    assert session["schema"] == "cleanguard-session/1"
    assert session["versions"]["torch"]
    assert session["argv"] == ["cleanguard", "env"]
    assert len(session["loader_source_sha256"]) == 64


def test_writes_it_to_a_file(run: Run, tmp_path: Path) -> None:
    ran = run("env", "--output", str(tmp_path / "session.json"))
    assert (ran.code, ran.out) == (0, "")
    assert json.loads((tmp_path / "session.json").read_text())["python"]
    ran = run("env", "--output", str(tmp_path / "no" / "session.json"))
    assert ran.code == 2
    assert "cannot be written" in ran.err


@pytest.mark.parametrize("missing", ["torch", "transformers"])
def test_without_the_guard_extra_what_is_unknown_is_null(missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "sys.argv = ['cleanguard', 'env']\n"
        "from cleanguard.cli import main; main()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    session = json.loads(ran.stdout)
    assert (session["torch"] is None) == (missing == "torch")
