"""`migrate` says what lists of dependencies lack for what it has rewritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanguard.cli.migrating.requirements import unmet
from tests.cleanguard.cli.conftest import Run

LACKS = "does not name cleanguard, which the rewritten files import: add `cleanguard[guard]`"
OLD = "asks for a transformers that is older than cleanguard needs: 5.0"


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("requirements.txt", "torch\ntransformers==4.40.0\n", 2),
        ("requirements.txt", "transformers[torch] >= 4.30, < 4.41  # pinned\n", 1),
        ("requirements-dev.txt", "transformers~=4.36\n", 1),
        ("requirements.txt", "transformers<5\n", 1),
        ("requirements.txt", "transformers<=4.57.1\n", 1),
        ("environment.yml", "dependencies:\n  - transformers=4.40\n", 2),
        ("pyproject.toml", '[tool.poetry.dependencies]\ntransformers = "^4.44"\n', 2),
        ("pyproject.toml", '[project]\ndependencies = ["transformers==4.44"]\n', 2),
        ("requirements.txt", "transformers\n", None),
        ("requirements.txt", "transformers>=4.40\n", None),
        ("requirements.txt", "transformers==5.24.0\n", None),
        ("requirements.txt", "transformers>=4.40,<6\n", None),
        ("pyproject.toml", '[tool.poetry.dependencies]\ntransformers = "*"\n', None),
        ("environment.yaml", "dependencies:\n  - transformers=5.1\n", None),
    ],
)
def test_a_list_that_names_transformers(
    tmp_path: Path, name: str, text: str, line: int | None
) -> None:
    (tmp_path / name).write_text(text)
    found = list(unmet([tmp_path / "run.py"], tmp_path))
    assert found == [*([f"{name}:{line} {OLD}"] if line else []), f"{name} {LACKS}"]


@pytest.mark.parametrize(
    "text",
    ["torch\n", "# transformers==4.40\n", "sentence-transformers==2.2\nx-transformers==1.0\n"],
)
def test_a_list_that_does_not(tmp_path: Path, text: str) -> None:
    (tmp_path / "requirements.txt").write_text(text)
    assert list(unmet([tmp_path / "run.py"], tmp_path)) == []


def test_the_nearest_one_counts(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("transformers==4.40\n")
    inner = tmp_path / "src" / "eval"
    inner.mkdir(parents=True)
    (tmp_path / "src" / "requirements.txt").write_text("transformers>=5\ncleanguard[guard]\n")
    assert list(unmet([inner / "run.py"], tmp_path)) == []
    files = [inner / "run.py", tmp_path / "a.py", tmp_path / "b.py"]
    assert list(unmet(files, tmp_path)) == [
        f"requirements.txt:1 {OLD}",
        f"requirements.txt {LACKS}",
    ]


def test_none_is_looked_for_above_the_root(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("transformers==4.40\n")
    (tmp_path / "inner").mkdir()
    assert list(unmet([tmp_path / "inner" / "run.py"], tmp_path / "inner")) == []


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").mkdir()
    assert list(unmet([tmp_path / "run.py"], tmp_path)) == []


def test_the_command_says_it_below_the_plan(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "requirements.txt").write_text("transformers==4.40\n")
    load = 'm = AutoModelForCausalLM.from_pretrained("gpt2")\n'
    (tmp_path / "run.py").write_text(f"from transformers import AutoModelForCausalLM\n{load}")
    monkeypatch.chdir(tmp_path)
    told = run("migrate", "run.py").out.splitlines()
    assert told[-2:] == [f"requirements.txt:1 {OLD}", f"requirements.txt {LACKS}"]
    assert LACKS not in run("migrate", "--diff", "run.py").out
