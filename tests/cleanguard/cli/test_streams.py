"""Standard streams that are full or closed, and a folder that is gone, are told plainly and end with 2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOAD = "from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained('gpt2')\n"
COMMAND = f'{sys.executable} -c "from cleanguard.cli import main; main()"'
FULL = Path("/dev/full")

every_command = pytest.mark.parametrize(
    "arguments",
    ["check .", "check . --output-format json", "migrate .", "status .", "explain", "check --help", "--version", "run --help"],
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.py").write_text(LOAD, encoding="utf-8")
    return tmp_path


def shell(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, check=False)


def is_plain(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert done.returncode == 2, done
    assert done.stderr.startswith("cleanguard: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert "internal error" not in done.stderr


@pytest.mark.skipif(not FULL.exists(), reason="the system has no device that is always full")
@every_command
def test_a_full_disk_behind_the_output(folder: Path, arguments: str) -> None:
    is_plain(shell(folder, f"{COMMAND} {arguments} > {FULL}"), "no space left on device")


@every_command
def test_a_closed_output(folder: Path, arguments: str) -> None:
    is_plain(shell(folder, f"{COMMAND} {arguments} >&-"), "standard output is closed")


def test_a_closed_input(folder: Path) -> None:
    is_plain(shell(folder, f"{COMMAND} check - <&-"), "standard input is closed")
    assert shell(folder, f"{COMMAND} check . <&-").returncode == 1


def test_closed_errors_change_no_exit_code(folder: Path) -> None:
    assert shell(folder, f"{COMMAND} check . 2>&-").returncode == 1
    assert shell(folder, f"{COMMAND} check nowhere 2>&-").returncode == 2
    assert shell(folder, f"{COMMAND} check . 2>&- >&-").returncode == 2


def test_a_folder_that_is_gone(folder: Path) -> None:
    gone = folder / "gone"
    line = f"mkdir {gone} && cd {gone} && rmdir {gone} && PYTHONPATH={os.environ['PYTHONPATH']} {COMMAND}"
    is_plain(shell(folder, f"{line} check ."), "the folder that this was started in is gone")
    is_plain(shell(folder, f"{line} migrate {folder}"), "is gone")
