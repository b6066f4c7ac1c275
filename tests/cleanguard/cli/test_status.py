"""`cleanguard status`: clean, pending, migrated, excluded; in text, JSON and Markdown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

LOAD = 'from transformers import AutoModelForCausalLM\nmodel = AutoModelForCausalLM.from_pretrained("gpt2")\n'
DONE = 'from guard import CleanModelLoader\nmodel, tokenizer, provenance = CleanModelLoader("gpt2").load()\n'


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.cleanguard]\nexclude = ["old/"]\n')
    (tmp_path / "old").mkdir()
    for name, text in {
        "clean.py": "x = 1\n",
        "pending.py": LOAD,
        "migrated.py": DONE,
        "old/left.py": LOAD,
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def states(document: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {Path(item["filename"]).name: item["state"] for item in document["scripts"]}


def test_json(run, tree):
    ran = run("status", "--output-format", "json")
    assert ran.code == 1
    document = json.loads(ran.out)
    assert states(document) == {
        "clean.py": "clean",
        "pending.py": "pending",
        "migrated.py": "migrated",
        "left.py": "excluded",
    }
    assert document["totals"]["pending"] == 1
    pending = next(item for item in document["scripts"] if item["state"] == "pending")
    assert (pending["auto"], pending["manual"]) == (1, 0)


def test_markdown(run, tree):
    ran = run("status", "--output-format", "markdown")
    assert "| script | state | automatic | left to a person | findings |" in ran.out
    assert "| `pending.py` | pending | 1 | 0 |" in ran.out


def test_text(run, tree):
    ran = run("status")
    assert "4 scripts: 1 pending, 1 migrated, 1 clean, 1 excluded." in ran.out


def test_nothing_pending_is_exit_0(run, tree):
    (tree / "pending.py").unlink()
    assert run("status").code == 0


def test_a_file_that_cannot_be_read_is_a_finding(run, tree):
    (tree / "pending.py").unlink()
    (tree / "broken.py").write_text("def f(:\n")
    ran = run("status")
    assert ran.code == 1
    assert "syntax error" in ran.out
