"""What docs/editors-and-ci.md tells other people's continuous integration to do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml", reason="PyYAML comes with the guard extra")

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "editors-and-ci.md").read_text(encoding="utf-8")
SNIPPETS = [
    yaml.safe_load(body) for body in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
]  # fmt: skip


def test_the_yaml_is_what_runners_read() -> None:
    (hooks,), (action, upload), jobs = SNIPPETS
    known = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert [hook["id"] for hook in hooks["hooks"]] == [hook["id"] for hook in known]
    ours: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    assert set(action["with"]) <= set(ours["inputs"])
    output = upload["with"]["sarif_file"]
    assert output == f"${{{{ steps.{action['id']}.outputs.sarif }}}}"
    assert "sarif" in ours["outputs"]
    assert set(jobs["cleanguard"]) == {"image", "script", "artifacts"}


def test_gitlabs_job_fails_and_leaves_its_report(tmp_path: Path) -> None:
    job = SNIPPETS[2]["cleanguard"]
    install, check = (step.partition("  #")[0].strip() for step in job["script"])
    assert install == 'pip install "$CLEANGUARD"'  # run, of the wheel, by tests/test_installed.py
    shim = tmp_path / "bin" / "cleanguard"
    shim.parent.mkdir()
    shim.write_text(f"#!{sys.executable}\nfrom cleanguard.cli import main\nmain()\n")
    shim.chmod(0o755)
    work = tmp_path / "builds" / "project"
    work.mkdir(parents=True)
    env = {
        **os.environ,
        "PATH": f"{shim.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "CI_PROJECT_DIR": str(work),
    }

    def run() -> int:
        command = ["bash", "-eo", "pipefail", "-c", check]
        return subprocess.run(
            command, cwd=work, env=env, check=False, capture_output=True
        ).returncode

    (work / "a.py").write_text(
        "from transformers import AutoTokenizer\nt = AutoTokenizer.from_pretrained('gpt2')\n"
    )
    assert run() == 1
    report = work / job["artifacts"]["reports"]["codequality"]
    (issue,) = json.loads(report.read_text(encoding="utf-8"))
    assert (issue["check_name"], issue["location"]["path"]) == ("CG102", "a.py")
    assert job["artifacts"]["when"] == "always"  # a job that fails keeps it
    (work / "a.py").write_text("x = 1\n")
    assert run() == 0
    assert json.loads(report.read_text(encoding="utf-8")) == []
