"""The composite action's own steps run, as a runner runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml", reason="PyYAML comes with the guard extra")

ROOT = Path(__file__).resolve().parents[1]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"] if "run" in step}


def run_check(folder: Path, where: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    bin_ = folder / "bin"
    bin_.mkdir(exist_ok=True)
    ours = bin_ / "cleanguard"
    ours.write_text(
        f"#!{sys.executable}\nfrom cleanguard.cli import main\nmain()\n", encoding="utf-8"
    )
    ours.chmod(0o755)
    output = folder / "output"
    env = {
        **os.environ,
        "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "WHERE": where,
        "MORE": "",
        "RUNNER_TEMP": str(folder),
        "GITHUB_OUTPUT": str(output),
        "GITHUB_ACTIONS": "true",
        "CLEANGUARD_CACHE_DIR": str(folder / "cache"),
    }
    # As a runner calls `shell: bash`.
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS["check"]["run"]]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    pairs = (line.split("=", 1) for line in output.read_text(encoding="utf-8").splitlines())
    return done, dict(pairs)


def test_it_annotates_and_writes_both_files_and_fails(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "from transformers import AutoTokenizer\nt = AutoTokenizer.from_pretrained('Qwen/Qwen2.5-7B')\n",
        encoding="utf-8",
    )
    (tmp_path / "b c").mkdir()
    done, outputs = run_check(tmp_path, "a.py")
    assert done.returncode == 1, done.stderr
    assert "::error title=cleanguard (CG102),file=a.py,line=2," in done.stdout
    sarif = json.loads(Path(outputs["sarif"]).read_text(encoding="utf-8"))
    assert sarif["runs"][0]["results"][0]["ruleId"] == "CG102"
    preview = Path(outputs["preview"]).read_text(encoding="utf-8")
    assert "+" in preview
    assert "CleanModelLoader" in preview


def test_clean_is_0_and_what_cannot_be_checked_is_2(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n", encoding="utf-8")
    assert run_check(tmp_path, "a.py")[0].returncode == 0
    assert run_check(tmp_path, "a.py missing.py")[0].returncode == 2


def test_the_outputs_are_those_of_the_step() -> None:
    for name, output in ACTION["outputs"].items():
        assert output["value"] == f"${{{{ steps.check.outputs.{name} }}}}"
    assert STEPS["install"]["run"].startswith("python -m pip install")
