"""Imports go down only, and a check stays light: shown by import-linter and by processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"torch", "transformers", "tokenizers", "numpy", "guard", "stages", "codemods"}

LOAD = "from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained('gpt2')\n"


def loaded_by(cwd: Path, *args: str) -> tuple[int, set[str]]:
    """The exit code of a command, and the top-level packages that it and its processes imported."""
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "importtime",
            "-c",
            "from cleanguard.cli import main; main()",
            *args,
        ],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return done.returncode, {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def test_imports_go_down_only() -> None:
    pytest.importorskip("importlinter", reason="import-linter comes with the dev extra")
    script = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_a_check_with_findings_loads_nothing_heavy_and_no_libcst(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(LOAD, encoding="utf-8")
    code, loaded = loaded_by(tmp_path, "check")
    assert code == 1
    assert not loaded & (HEAVY | {"rich", "libcst"})


def test_a_tree_without_hazards_needs_no_parser(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("# from_pretrained, in a comment\nx = 1\n", encoding="utf-8")
    (tmp_path / "b.py").write_text("import torch\n\nprint(torch.zeros(3))\n", encoding="utf-8")
    code, loaded = loaded_by(tmp_path, "check")
    assert code == 0
    assert not loaded & (HEAVY | {"libcst", "rich"})


def test_named_files_need_no_pattern_matcher(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n", encoding="utf-8")
    code, loaded = loaded_by(tmp_path, "check", "a.py")
    assert code == 0
    assert "pathspec" not in loaded


def test_explain_loads_nothing_heavy(tmp_path: Path) -> None:
    assert not loaded_by(tmp_path, "explain", "CG101")[1] & HEAVY
    assert "libcst" not in loaded_by(tmp_path, "explain")[1]


def test_the_package_itself_imports_nothing_of_others_or_ours() -> None:
    script = "import sys; before = set(sys.modules); import cleanguard; print(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert {name.partition(".")[0] for name in done.stdout.split()} - sys.stdlib_module_names == {
        "cleanguard"
    }
