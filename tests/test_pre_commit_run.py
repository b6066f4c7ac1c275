"""The hook, installed from this checkout by a real pre-commit: blocks a hazard, lets the mended file pass."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("cleanguard", "guard", "lint_rules", "codemods", "stages")
FILES = ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml")
HAZARD = """from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")
"""
MENDED = """from guard import CleanModelLoader

model, tokenizer, provenance = CleanModelLoader("Qwen/Qwen2.5-7B").load()
print(provenance)
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Nothing of the machine's own git and pre-commit counts."""
    identity = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "test"), ("EMAIL", "test@example.org"))
    }
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    clean.pop("PYTHONPATH", None)
    return {
        **clean,
        **identity,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "PRE_COMMIT_HOME": str(tmp_path / "pre-commit"),
        "PRE_COMMIT_COLOR": "never",
    }


def repository(folder: Path, environment: dict[str, str]) -> str:
    """Makes a folder a repository with one commit; gives the commit."""
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run(["git", *command], cwd=folder, env=environment, check=True)
    head = ["git", "rev-parse", "HEAD"]
    return subprocess.run(
        head, cwd=folder, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_commit_with_a_hazard_is_blocked(tmp_path: Path, environment: dict[str, str]) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "-q", "pre-commit"]
    subprocess.run(pip, env=environment, check=True)

    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for part in PARTS:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, checkout / part, ignore=ignore)
    for name in FILES:
        shutil.copy(ROOT / name, checkout / name)
    revision = repository(checkout, environment)

    project = tmp_path / "project"
    project.mkdir()
    (project / ".pre-commit-config.yaml").write_text(
        f"repos:\n- repo: {checkout}\n  rev: {revision}\n  hooks:\n  - id: cleanguard\n"
        "  - id: cleanguard-migrate\n"
    )
    repository(project, environment)
    pre_commit = str(venv / "bin" / "pre-commit")
    subprocess.run([pre_commit, "install"], cwd=project, env=environment, check=True)

    def commit(text: str, name: str = "evaluate.py") -> subprocess.CompletedProcess[str]:
        (project / name).write_text(text)
        subprocess.run(["git", "add", "-A"], cwd=project, env=environment, check=True)
        return subprocess.run(
            ["git", "commit", "-m", "a script"],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
        )

    blocked = commit(HAZARD)
    said = blocked.stdout + blocked.stderr
    assert blocked.returncode != 0, said
    assert "CG101" in said
    assert "--> evaluate.py:3:9" in said
    assert "CleanModelLoader" in said
    passed = commit(MENDED)
    assert passed.returncode == 0, passed.stdout + passed.stderr

    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}}
    for source, refused in ((HAZARD, True), (MENDED, False)):
        text = json.dumps({**book, "cells": [{**cell, "id": "a", "source": source}]})
        done = commit(text, "notes.ipynb")
        assert (done.returncode != 0) == refused, done.stdout + done.stderr
        assert ("--> notes.ipynb:cell 1:3:9" in done.stdout + done.stderr) == refused
    preview = commit(HAZARD)
    assert "CG101" in preview.stdout + preview.stderr
    assert 'CleanModelLoader("Qwen/Qwen2.5-7B")' in preview.stdout + preview.stderr

    (hook,) = (tmp_path / "pre-commit").glob("repo*/py_env-*/bin/python")
    script = (
        "from importlib.metadata import distributions\n"
        "print(*sorted({d.metadata['Name'].lower() for d in distributions()}))"
    )
    listed = subprocess.run([str(hook), "-c", script], check=True, capture_output=True, text=True)
    names = set(listed.stdout.split())
    assert {"cleanguard", "libcst"} <= names
    assert not names & {"torch", "transformers", "numpy"}
