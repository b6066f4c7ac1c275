"""`per-file-ignores`, `severities`, `extend` and `extend-select`, up to the findings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cleanguard.settings.config import ConfigError, Settings, load_settings, selected
from lint_rules._engine.checking import check_source

LOAD = b"""from transformers import AutoModelForCausalLM
m = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(project: Path, table: str) -> Settings:
    (project / "pyproject.toml").write_text(f"[tool.cleanguard]\nselect = ['CG101']\n{table}")
    return load_settings(project)


def codes(name: str, raw: bytes, given: Settings) -> list[str]:
    return [f"{f.code} {f.severity}" for f in check_source(name, raw, given)]


def test_codes_are_ignored_in_matching_files_only(project: Path) -> None:
    given = settings(project, "[tool.cleanguard.per-file-ignores]\n'tests/' = ['raw-model-load']\n")
    assert codes("tests/deep/a.py", LOAD, given) == []
    assert codes("src/tests.py", LOAD, given) == ["CG101 error"]


def test_a_broken_file_is_never_ignored(project: Path) -> None:
    given = settings(project, "per-file-ignores = {'*.py' = ['ALL']}\n")
    assert codes("a.py", b"def f(:\n", given) == ["CG900 error"]


def test_a_suppression_of_an_ignored_code_is_not_called_unused(project: Path) -> None:
    given = settings(project, "per-file-ignores = {'a.py' = ['CG101']}\nextend-select = ['CG901']")
    raw = LOAD.rstrip() + b"  # cleanguard: ignore[CG101] why\n"
    assert codes("a.py", raw, given) == []
    assert codes("b.py", raw, given) == []


def test_severities_by_code_prefix_and_name(project: Path) -> None:
    for entry in ("CG101", "CG1", "raw-model-load"):
        given = settings(project, f"severities = {{{entry} = 'warning'}}\n")
        assert codes("a.py", LOAD, given) == ["CG101 warning"]


def test_a_guess_never_becomes_an_error(project: Path) -> None:
    raw = b"def score(model, tokenizer, p):\n    i = tokenizer(p)\n    return model.generate(**i)\n"
    given = settings(project, "extend-select = ['CG301']\nseverities = {ALL = 'error'}\n")
    assert codes("a.py", raw, given) == ["CG301 warning"]


def test_extend_select_adds_to_the_defaults() -> None:
    defaults = selected(Settings())
    assert selected(Settings(extend_select=("CG105",))) == defaults | {"CG105"}
    assert selected(Settings(extend_select=("CG105",), ignore=("CG1",))).isdisjoint({"CG105"})


def test_another_file_is_extended(project: Path) -> None:
    base = project / "shared" / "base.toml"
    base.parent.mkdir()
    base.write_text("[tool.cleanguard]\nscope = 'all'\nignore = ['CG104']\nexclude = ['old/']\n")
    given = settings(project, "extend = 'shared/base.toml'\nignore = ['CG3']\n")
    assert given == replace(
        Settings(), select=("CG101",), scope="all", ignore=("CG3",), exclude=("old/",), root=project
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param("extend = 'gone.toml'", "`extend`: there is no file gone.toml", id="missing"),
        pytest.param("extend = 'pyproject.toml'", "leads back to this file", id="itself"),
        pytest.param("extend = 3", "must be the path of a file", id="no-path"),
        pytest.param("severities = {CG101 = 'eror'}", "did you mean 'error'", id="severity"),
        pytest.param("severities = {CG1x = 'error'}", "'CG1x' is not a hazard", id="severity-code"),
        pytest.param("severities = 'error'", "must be a table", id="no-table"),
        pytest.param("per-file-ignores = {'a' = ['CG20']}", "", id="prefix-is-fine"),
        pytest.param("per-file-ignores = {'a' = ['CG2x']}", "is not a hazard", id="ignored-code"),
        pytest.param("per-file-ignore = {}", "did you mean 'per-file-ignores'", id="unknown-key"),
        pytest.param("force-exclude = 'yes'", "must be true or false", id="flag"),
    ],
)
def test_what_cannot_be_used_is_named(project: Path, table: str, message: str) -> None:
    if not message:
        settings(project, table)
        return
    with pytest.raises(ConfigError, match=message):
        settings(project, table)
