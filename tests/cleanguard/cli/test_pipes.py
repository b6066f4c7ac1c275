"""A pipe that nobody writes to, where a command takes a file: told at once, never waited for."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from guard import CleanModelLoader
from guard.errors import ModelNotFoundError
from stages import tiny
from tests.cleanguard.cli.conftest import Run

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")


@pytest.mark.parametrize(
    "line",
    [
        "verify pipe.jsonl",
        "check --with-trace pipe.json a.py",
        "check --baseline pipe.json a.py",
        "trace pipe.py",
        "doctor pipe.json",
        "run evaluate --suite pipe.jsonl --out out",
        "run generate --config pipe.toml --out out",
        "run sft --data pipe.jsonl --out out",
    ],
)
def test_a_command_does_not_wait(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_text("")
    pipe = next(part for part in line.split() if part.startswith("pipe"))
    os.mkfifo(pipe)
    ran = run(*line.split())
    assert ran.code == 2
    assert pipe in ran.err
    assert "is a file" in ran.err or "a pipe or a device" in ran.err


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors", "notes"])
def test_a_model_folder_with_a_pipe_is_refused(tmp_path: Path, name: str) -> None:
    shutil.copytree(tiny.model_path(), tmp_path / "model")
    (tmp_path / "model" / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / "model" / name)
    with pytest.raises(ModelNotFoundError, match=f"{name}: a pipe or a device"):
        CleanModelLoader(tmp_path / "model").load()
