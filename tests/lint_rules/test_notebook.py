"""Notebooks are one module, reported by cell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cleanguard.catalogue.findings import Finding, Position
from cleanguard.settings.config import Settings
from lint_rules._engine.checking import check_source
from lint_rules._run.notebook import read
from lint_rules._run.source import SourceError
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


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param("pip install -q trl", id="automagic"),
        pytest.param("if True:\n    pip install x==1.0", id="automagic in a block"),
        pytest.param("conda install -y -c pytorch pytorch", id="automagic conda"),
        pytest.param("x = obj?", id="a question after an assignment"),
        pytest.param("print(m.generate?", id="a question in the middle"),
        pytest.param("%run eval.py --model {m}\n!python x.py $m ${m}", id="names in magics"),
        pytest.param("sys.exit()", id="exit"),
        pytest.param("raise SystemExit", id="raise"),
        pytest.param(
            "if bad:\n    raise ValueError(\n        'x'\n    )\nelse: sys.exit(1)", id="both"
        ),
        pytest.param("return", id="a bare return"),
        pytest.param("try:\n    x = 1\n    quit()\nexcept E:\n    raise", id="try"),
        pytest.param("with a as b:\n    exit()", id="with"),
        pytest.param("def f(:\n    pass", id="broken"),
        pytest.param("x = 'open", id="a text that is open"),
        pytest.param("f(\n%matplotlib inline", id="a bracket that is open"),
    ],
)
def test_a_cell_costs_only_itself(cell: str) -> None:
    findings = check(notebook(IMPORT, cell, LOAD))
    assert [(f.code, f.location) for f in findings if f.code != "CG900"] == [
        ("CG101", Position(1, 5, cell=4))
    ]
    assert {f.location.cell for f in findings if f.code == "CG900"} <= {3}


def test_what_stands_behind_the_end_of_a_cell_is_dead() -> None:
    (finding,) = check(notebook(IMPORT, f"raise SystemExit\n{LOAD}", LOAD))
    assert finding.location == Position(1, 5, cell=4)
    assert len(check(notebook(IMPORT, f"if x:\n    raise SystemExit\n{LOAD}", LOAD))) == 2


def test_only_what_is_broken_is_unread() -> None:
    broken, load = check(notebook(IMPORT, "x = 1\ny = = 2\n" + LOAD, LOAD))
    assert (broken.code, broken.location) == ("CG900", Position(2, 5, cell=3))
    assert broken.message == "the cell was not checked: syntax error: invalid syntax"
    assert (load.code, load.location.cell) == ("CG101", 4)


@pytest.mark.parametrize("prompt", [">>> ", "In [12]: "])
def test_prompts_are_cut_off_and_columns_are_those_of_the_cell(prompt: str) -> None:
    follow = "... " if prompt.startswith(">") else "   ...: "
    (finding,) = check(notebook(f"{prompt}{IMPORT}\n{prompt}if 1:\n{follow}    {LOAD}"))
    assert finding.location == Position(3, len(follow) + 4 + 5, cell=2)


@pytest.mark.parametrize(
    "metadata",
    [
        {"vscode": {"languageId": "shellscript"}},
        {"dotnet_interactive": {"language": "csharp"}},
        {"polyglot_notebook": {"kernelName": "sql"}},
        {"kernel": "R"},
    ],
)
def test_a_cell_of_another_language_is_none_of_ours(metadata: dict[str, object]) -> None:
    data = json.loads(notebook(IMPORT, "SELECT * FROM t", LOAD))
    data["cells"][2]["metadata"] = metadata
    (finding,) = check(json.dumps(data).encode())
    assert finding.location == Position(1, 5, cell=4)
    data["cells"][3]["metadata"] = {"vscode": {"languageId": "python"}, "kernel": "Python 3"}
    assert len(check(json.dumps(data).encode())) == 1


@pytest.mark.parametrize("odd", [["R"], 1, {"a": "R"}])
def test_what_is_no_name_of_a_language_leaves_nothing_unchecked(odd: object) -> None:
    data = json.loads(notebook(IMPORT, LOAD))
    data["metadata"] = {"kernelspec": {"language": odd}, "language_info": {"name": odd}}
    data["cells"][2]["metadata"] = {"vscode": {"languageId": odd}}
    assert len(check(json.dumps(data).encode())) == 1


def test_a_number_of_thousands_of_digits_is_called_that() -> None:
    with pytest.raises(SourceError, match="thousands of digits"):
        read(notebook(LOAD).replace(b'"nbformat": 4', b'"nbformat": ' + b"9" * 5000))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_notebook_in_another_encoding_is_read(encoding: str) -> None:
    (finding,) = check(notebook(IMPORT, LOAD).decode().encode(encoding))
    assert finding.location == Position(1, 5, cell=3)


def test_words_behind_escapes_are_seen() -> None:
    raw = notebook(IMPORT, LOAD).replace(b"from_pretrained", b"from_pretr\\u0061ined")
    assert [finding.code for finding in check(raw)] == ["CG101"]


def test_every_worksheet_of_format_3_is_read() -> None:
    def sheet(*inputs: str) -> dict[str, object]:
        return {
            "cells": [{"cell_type": "code", "input": text, "language": "python"} for text in inputs]
        }

    data = {"metadata": {}, "nbformat": 3, "worksheets": [sheet(IMPORT, "x = 1"), sheet(LOAD)]}
    (finding,) = check(json.dumps(data).encode())
    assert finding.location == Position(1, 5, cell=3)


def test_a_file_that_a_cell_writes_is_checked_by_itself() -> None:
    cell = f"%%writefile eval.py\n{IMPORT}\n{LOAD}\nm = None\n"
    (finding,) = check(notebook("import x", cell, "m.generate(ids)\nAutoModelForCausalLM"))
    assert finding.location == Position(3, 5, cell=3)
    assert check(notebook(IMPORT, f"%%writefile notes.txt\n{LOAD}")) == ()


def test_surrogates_and_old_line_ends_are_read() -> None:
    (finding,) = check(notebook(IMPORT, f"s = '\ud800'\r\n{LOAD}\r\n"))
    assert finding.location == Position(2, 5, cell=3)


def test_thousands_of_magics_take_seconds() -> None:
    (finding,) = check(notebook(IMPORT, "\n".join(["!ls", "x = [1]"] * 3000), LOAD))
    assert finding.location == Position(1, 5, cell=4)
