"""A baseline: what is in it is silent, what is new is not, what is stale is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cleanguard.cli.conftest import Run

HEAD = "from transformers import AutoModelForCausalLM\n"
LOAD = 'm = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")\n'
OTHER = 'n = AutoModelForCausalLM.from_pretrained("gpt2")\n'


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.cleanguard]\nselect = ['CG101']\n")
    (tmp_path / "src" / "a.py").write_text(HEAD + LOAD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def entered(run: Run, project: Path) -> Path:
    ran = run("baseline")
    assert (ran.code, ran.out) == (
        0,
        f"Wrote 1 finding to {project / 'cleanguard-baseline.json'}.\n",
    )
    return project / "cleanguard-baseline.json"


def concise(run: Run, *args: str) -> tuple[int, list[str], str]:
    arguments = ("--output-format", "concise", "--baseline", "cleanguard-baseline.json")
    ran = run("check", *arguments, *args)
    return ran.code, [line for line in ran.out.splitlines() if "CG" in line], ran.err


def test_known_findings_are_silent(run: Run, entered: Path) -> None:
    code, lines, err = concise(run)
    assert (code, lines, err) == (
        0,
        [],
        "cleanguard: 1 known from cleanguard-baseline.json\n",
    )


def test_edits_elsewhere_and_another_folder_change_nothing(
    run: Run, entered: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "src" / "a.py").write_text(f"{HEAD}\n\nif True:\n    {LOAD}")
    assert concise(run)[:2] == (0, [])
    monkeypatch.chdir(project / "src")
    ran = run("check", "a.py", "--baseline", "../cleanguard-baseline.json")
    assert ran.code == 0


def test_what_is_new_is_reported_also_when_the_line_is_equal(
    run: Run, entered: Path, project: Path
) -> None:
    (project / "src" / "a.py").write_text(HEAD + LOAD + LOAD + OTHER)
    code, lines, _ = concise(run)
    assert code == 1
    assert [line.split(": ")[0] for line in lines] == ["src/a.py:3:5", "src/a.py:4:5"]


def test_stale_entries_are_named(run: Run, entered: Path, project: Path) -> None:
    (project / "src" / "a.py").write_text("x = 1\n")
    code, _, err = concise(run)
    assert code == 0
    assert "stale entry: src/a.py: CG101: m = AutoModelForCausalLM" in err
    (project / "src" / "a.py").unlink()
    (project / "src" / "b.py").write_text("x = 1\n")
    assert "stale entry: src/a.py" in concise(run)[2]


def test_entries_of_files_or_codes_that_were_not_looked_at_are_not_stale(
    run: Run, entered: Path, project: Path
) -> None:
    (project / "b.py").write_text("x = 1\n")
    assert concise(run, "b.py")[2] == ""
    assert concise(run, "--select", "CG301")[2] == ""


def test_the_configuration_can_name_it(run: Run, entered: Path, project: Path) -> None:
    table = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(table + "baseline = 'known.json'\n")
    assert run("check").code == 2
    assert run("baseline").code == 0
    assert (project / "known.json").exists()
    assert run("check").code == 0
    for broken in ("{}", "[" * 100_000):
        (project / "known.json").write_text(broken)
        ran = run("check")
        assert (ran.code, "not a baseline" in ran.err) == (2, True)


def test_a_broken_file_is_never_known(run: Run, project: Path) -> None:
    (project / "src" / "b.py").write_text("def f(:\n")
    assert run("baseline").code == 0
    code, lines, _ = concise(run)
    assert code == 1
    assert "CG900" in lines[0]


def test_the_file_is_for_people_and_merges(run: Run, project: Path) -> None:
    (project / "src" / "a.py").write_text(HEAD + LOAD + OTHER)
    run("baseline")
    text = (project / "cleanguard-baseline.json").read_text()
    data = json.loads(text)
    assert len(data["findings"]) == 2
    assert set(data["findings"][0]) == {"fingerprint", "code", "path", "line"}
    assert sum('"fingerprint"' in line for line in text.splitlines()) == 2
