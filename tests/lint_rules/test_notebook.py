"""Notebooks are one module, reported by cell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cleanguard.catalogue.findings import Finding, Position
from cleanguard.settings.config import Settings
from lint_rules._engine.checking import check_source
from tests.cleanguard.cli.conftest import run as run

IMPORT = "from transformers import AutoModelForCausalLM"
LOAD = 'm = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")'
ON = Settings(select=("CG101", "CG301", "CG901"))


def notebook(*cells: str | list[str], language: str = "python", prose: str = "# prose") -> bytes:
    found = [{"cell_type": "markdown", "metadata": {}, "source": [prose]}]
    found += [
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": cell} for cell in cells
    ]
    metadata = {"language_info": {"name": language}}
    return json.dumps({"cells": found, "metadata": metadata, "nbformat": 4}).encode()


def check(raw: bytes) -> tuple[Finding, ...]:
    return check_source("a.ipynb", raw, ON)


def test_values_are_followed_from_cell_to_cell() -> None:
    (finding,) = check(notebook(IMPORT, f"x = 1\n{LOAD}"))
    assert (finding.code, finding.filename) == ("CG101", "a.ipynb")
    assert finding.location == Position(2, 5, cell=3)
    assert finding.fix is None


def test_sources_come_as_lists_of_lines_too() -> None:
    (finding,) = check(notebook([f"{IMPORT}\n", "\n", LOAD]))
    assert finding.location == Position(3, 5, cell=2)


_MAGICS = [
    pytest.param("%matplotlib inline", id="line-magic"),
    pytest.param("!pip install -q trl \\\n  peft", id="continued-shell"),
    pytest.param("files = !ls\nother = %pwd", id="assigned"),
    pytest.param("if True:\n    !nvidia-smi", id="indented"),
    pytest.param("m?\n?m\nm.generate??", id="help"),
    pytest.param("%%bash\nfor i in 1 2; do echo $i; done", id="other-language"),
    pytest.param("%%time\nx = 1", id="timed"),
    pytest.param("await something()", id="await"),
    pytest.param("", id="empty"),
]


@pytest.mark.parametrize("cell", _MAGICS)
def test_magics_are_tolerated_and_move_no_line(cell: str) -> None:
    (finding,) = check(notebook(IMPORT, cell, f"{cell}\n{LOAD}" if "%%" not in cell else LOAD))
    row = 1 if "%%" in cell else cell.count("\n") + 2
    assert (finding.code, finding.location) == ("CG101", Position(row, 5, cell=4))


def test_a_cell_with_timing_is_checked() -> None:
    (finding,) = check(notebook(IMPORT, f"%%time\n{LOAD}"))
    assert finding.location == Position(2, 5, cell=3)


def test_suppressions_hold_and_unused_ones_have_no_fix() -> None:
    assert check(notebook(IMPORT, f"{LOAD}  # cleanguard: ignore[CG101] a demonstration")) == ()
    (unused,) = check(notebook("x = 1  # cleanguard: ignore[CG101] why"))
    assert (unused.code, unused.fix, unused.location.cell) == ("CG901", None, 2)


def test_a_broken_cell_is_named() -> None:
    (finding,) = check(notebook("x = 1", "def f(:\n    pass"))
    assert (finding.code, finding.location) == ("CG900", Position(1, 7, cell=3))


def test_other_languages_are_not_our_business() -> None:
    assert check(notebook("library(dplyr) %>% f", language="R")) == ()


@pytest.mark.parametrize("raw", [b"{", b"[]", b"{}", b"\xff", b'{"metadata": {}, "cells": [1]}'])
def test_what_is_no_notebook_is_unreadable(raw: bytes) -> None:
    assert [finding.code for finding in check(raw)] == ["CG900"]


def test_the_command_finds_and_shows_notebooks(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.ipynb").write_bytes(notebook(IMPORT, f"x = 1\n{LOAD}"))
    ran = run("check", "--select", "CG101")
    assert ran.code == 1
    assert "--> a.ipynb:cell 3:2:5" in ran.out
    assert f"2 | {LOAD}" in ran.out
    data = json.loads(run("check", "--select", "CG101", "--output-format", "json").out)
    assert data[0]["location"] == {"cell": 3, "row": 2, "column": 5}
    assert run("baseline").code == 0
    assert run("check", "--baseline", "cleanguard-baseline.json").code == 0


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param("x = (100\n  % 3)", id="operator-in-brackets"),
        pytest.param("x = '''\n%time is money\n!important\n'''", id="text"),
        pytest.param("%cd ..\nx = [7\n% 3]\n!ls", id="between-magics"),
    ],
)
def test_what_goes_on_from_the_line_before_is_no_magic(cell: str) -> None:
    (finding,) = check(notebook(IMPORT, f"{cell}\n{LOAD}"))
    assert (finding.code, finding.location) == (
        "CG101",
        Position(cell.count("\n") + 2, 5, cell=3),
    )


@pytest.mark.parametrize("magic", ["%time ", "%timeit -n 1 -r1 ", "    %time "])
def test_a_timed_statement_is_read_in_its_columns(magic: str) -> None:
    before = "if True:\n" if magic.startswith(" ") else ""
    (finding,) = check(notebook(IMPORT, f"{before}{magic}{LOAD}"))
    row = 1 + before.count("\n")
    assert finding.location == Position(row, len(magic) + LOAD.index("Auto") + 1, cell=3)


@pytest.mark.parametrize(
    "line", ["%time !ls", "%prun -s cumulative f()", "%timeit", "%time for x in y: z()"]
)
def test_what_is_no_statement_behind_a_magic_is_left(line: str) -> None:
    (finding,) = check(notebook(IMPORT, f"{line}\n{LOAD}"))
    assert (finding.code, finding.location.row) == ("CG101", 2)
