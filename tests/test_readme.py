"""The README, and the pages that hold what it once held, say what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cleanguard.catalogue.explain import GROUPS
from cleanguard.catalogue.hazards import CATALOGUE
from cleanguard.cli.command_group import COMMANDS
from cleanguard.settings.config import Settings, load_settings
from codemods.migration import migrate_source
from lint_rules._engine.checking import check_source

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS_PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
CHECKING = (ROOT / "docs" / "checking.md").read_text(encoding="utf-8")
FIRST_STEPS = (ROOT / "docs" / "first-steps.md").read_text(encoding="utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("group", GROUPS)
def test_the_table_of_hazards_is_true(group: str) -> None:
    row = next(line for line in COMMANDS_PAGE.splitlines() if line.startswith(f"| {group} |"))
    linted, guarded = ([f"CG{code}" for code in cell.split()] for cell in row.split("|")[3:5])
    own = [hazard for hazard in CATALOGUE if hazard.code.startswith(group)]
    assert linted == [hazard.code for hazard in own if hazard.linted]
    assert guarded == [hazard.code for hazard in own if hazard.guarded]


def test_every_command_is_there() -> None:
    for name in COMMANDS:
        assert f"| `cleanguard {name}" in COMMANDS_PAGE


def test_the_diff_is_what_migrate_makes() -> None:
    head = "from transformers import AutoModelForCausalLM, AutoTokenizer\n\nprompt = input()\n"
    lines = blocks("diff")[0].splitlines()
    before = "\n".join(line[1:] for line in lines if not line.startswith("+"))
    after = "\n".join(line[1:] for line in lines if not line.startswith("-"))
    done = migrate_source(
        "evaluate.py", f"{head}{before}\nprint(text)\n".encode(), Settings()
    ).after.decode()
    expected = f"from guard import CleanModelLoader\n\nprompt = input()\n{after}\nprint(text)\n"
    assert [line for line in done.splitlines() if line] == [
        line for line in expected.splitlines() if line
    ]


def test_the_shown_finding_is_what_check_says() -> None:
    (shown,) = blocks("console", CHECKING)
    old = [line[1:] for line in blocks("diff")[0].splitlines() if not line.startswith("+")]
    source = "\n".join(
        ["from transformers import AutoModelForCausalLM, AutoTokenizer", "prompt = input()", *old]
    )
    findings = check_source("evaluate.py", source.encode(), Settings())
    assert len(findings) == int(re.findall(r"Found (\d+) findings", shown)[0])
    stray = next(finding for finding in findings if finding.code == "CG201")
    assert f"error CG201 [*] {stray.message}\n" in shown
    assert f"   = {stray.remedy}\n" in shown


def test_the_shown_configuration_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(blocks("toml", CHECKING)[0], encoding="utf-8")
    assert load_settings(tmp_path).exclude == ("archived/",)


def test_set_up_is_two_commands_and_installs_are_pinned() -> None:
    assert re.findall(r"^make (\w+)", blocks("console")[0], re.MULTILINE) == ["demo", "test"]
    installs = re.findall(
        r"pip install [^`\n]*", README + (ROOT / "Makefile").read_text(encoding="utf-8")
    )
    assert all("-c constraints.txt" in command for command in installs)


def test_without_make_is_what_make_does() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(VENV)", ".venv")
    recipes = " ".join(makefile.replace("$(BIN)", ".venv/bin").split())
    (shown,) = blocks('sh title="checkout"', FIRST_STEPS)
    for command in re.split(r" && |\n", shown.strip()):
        same = command.replace("python3 -m venv", "$(PYTHON) -m venv").replace(" -n auto", "")
        same = same.replace(".venv/bin/pip install", ".venv/bin/python -m pip install -q")
        assert same in recipes, command


def test_the_readme_is_short_and_shows_both_pictures() -> None:
    assert len(README.splitlines()) <= 130
    assert re.findall(r"!\[.+\]\((\S+)\)", README) == ["docs/check.svg", "docs/report.png"]
