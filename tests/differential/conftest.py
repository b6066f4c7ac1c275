"""Programs run in a process of their own, whose libraries are watched and whose drawing is taken out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def tried(
    started: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., dict[str, dict[str, Any]]]:
    """Tries programs, given by name as files by name; returns what came of each."""

    def run(
        programs: dict[str, dict[str, str]], *, watch: bool = True
    ) -> dict[str, dict[str, Any]]:
        wanted = tmp_path_factory.mktemp("programs") / "programs.json"
        wanted.write_text(
            json.dumps([{"files": files, "watch": watch} for files in programs.values()])
        )
        lines = started("each", str(wanted)).splitlines()
        return dict(zip(programs, map(json.loads, lines), strict=True))

    return run


@pytest.fixture(scope="session")
def started() -> Callable[..., str]:
    """Runs a module of this folder; returns what it prints."""
    pytest.importorskip("torch")
    pytest.importorskip("peft")

    def run(module: str, *arguments: str, seconds: int = 600) -> str:
        done = subprocess.run(
            [sys.executable, "-m", f"tests.differential.{module}", *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            encoding="utf-8",
            timeout=seconds,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run
