"""The options that people know from other linters: selection of files, configuration, fixes, reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cleanguard.cli.conftest import Run

HEAD = "from transformers import AutoTokenizer\n"
# A safe fix (CG901), an error that only `migrate` rewrites (CG102), and a warning with an unsafe fix.
UNUSED = "x = 1  # cleanguard: ignore[CG201] nothing is here\n"
LOAD = 'tok = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-32B")\n'


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("CLEANGUARD_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    put("a.py", HEAD + LOAD)
    put("lib/b.py", HEAD + LOAD)
    put("tests/c.py", HEAD + LOAD)
    return tmp_path


def put(name: str, text: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def configure(folder: str, text: str) -> None:
    put(f"{folder}/pyproject.toml", f"[tool.cleanguard]\n{text}\n")


def places(out: str) -> list[str]:
    """The files that have findings."""
    found = (line.partition(":")[0] for line in out.splitlines() if ": CG" in line)
    return list(dict.fromkeys(found))


def check(run: Run, *args: str, code: int = 1) -> str:
    ran = run("check", "--no-cache", "--output-format", "concise", "-q", *args)
    assert ran.code == code, ran
    return ran.out


def test_exclude_replaces_and_extend_exclude_adds(run: Run) -> None:
    configure(".", 'exclude = ["lib/"]')
    assert places(check(run)) == ["a.py", "tests/c.py"]
    assert places(check(run, "--exclude", "tests/")) == ["a.py", "lib/b.py"]
    assert places(check(run, "--extend-exclude", "tests/,*.pyi")) == ["a.py"]


def test_patterns_of_the_command_line_count_from_where_it_is_called(
    run: Run, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    configure(".", "ignore = []")
    put("lib/sub/d.py", HEAD + LOAD)
    monkeypatch.chdir(project / "lib")
    assert places(check(run, "--extend-exclude", "sub/*.py")) == ["b.py"]


def test_per_file_ignores(run: Run) -> None:
    configure(".", 'per-file-ignores = { "lib/" = ["CG1"] }')
    assert places(check(run, "--per-file-ignores", "tests/:CG102,CG3")) == ["a.py"]
    ran = run("check", "--per-file-ignores", "CG102")
    assert ran.code == 2
    assert "PATTERN:CODE" in ran.err
    ran = run("check", "--per-file-ignores", "a.py:CG12")
    assert (ran.code, "'CG12' is not a hazard" in ran.err) == (2, True)


def test_one_setting_of_the_command_line(run: Run) -> None:
    configure(".", 'select = ["CG3"]')
    check(run, code=0)
    assert len(places(check(run, "--config", "select = ['CG102']"))) == 3
    assert places(
        check(run, "--config", "select=['CG1']", "--config", "exclude=['lib', 'tests']")
    ) == ["a.py"]
    for wrong, said in (
        ("selct=['CG1']", "did you mean 'select'?"),
        ("select='CG1'", "must be a list"),
        ("select=[", "not valid TOML"),
        ("extend='x.toml'", "stands in files only"),
    ):
        ran = run("check", "--config", wrong)
        assert (ran.code, said in ran.err) == (2, True), ran.err


def test_isolated_reads_no_configuration(run: Run) -> None:
    configure(".", 'select = ["CG3"]')
    configure("lib", "nonsense = 1")
    assert len(places(check(run, "--isolated"))) == 3
    assert run("check", "--isolated", "--config", "pyproject.toml").code == 2


def test_each_folder_has_its_own_configuration(run: Run) -> None:
    configure(".", 'select = ["CG3"]\nignore = ["CG102"]')
    configure("lib", 'select = ["CG1"]')
    put("lib/deep/d.py", HEAD + LOAD)
    configure("lib/deep/er", 'per-file-ignores = { "no.py" = ["CG1"] }')
    put("lib/deep/er/no.py", HEAD + LOAD)
    put("lib/deep/er/yes.py", HEAD + LOAD)
    assert places(check(run)) == ["lib/b.py", "lib/deep/d.py", "lib/deep/er/yes.py"]
    # Named files have the configuration of their folder, and so have folders below a named one.
    assert places(check(run, "a.py", "lib/b.py")) == ["lib/b.py"]
    assert places(check(run, "lib/deep", "tests")) == ["lib/deep/d.py", "lib/deep/er/yes.py"]
    # A file of the command line holds for all.
    assert len(places(check(run, "--config", "lib/pyproject.toml"))) == 6


def test_what_a_folder_leaves_out_counts_from_it(run: Run) -> None:
    configure("lib", 'exclude = ["gen/"]')
    put("lib/gen/x.py", HEAD + LOAD)
    put("gen/y.py", HEAD + LOAD)
    assert places(check(run)) == ["a.py", "gen/y.py", "lib/b.py", "tests/c.py"]


def test_a_broken_configuration_costs_its_folder_and_the_exit_code(run: Run) -> None:
    put("lib/pyproject.toml", '[tool.cleanguard]\nselect = ["CG102"]\nselectt = []\n')
    ran = run("check", "--no-cache", "--output-format", "concise", "-q")
    assert ran.code == 2
    assert places(ran.out) == ["a.py", "tests/c.py"]
    assert "lib/pyproject.toml:3: unknown key 'selectt'; did you mean 'select'?" in ran.err
    assert "the files in lib were not checked" in ran.err
    for command in ("status", "migrate"):
        ran = run(command)
        assert (ran.code, "lib/pyproject.toml:3:" in ran.err) == (2, True)
    assert run("gate", "--no-model").code == 2
    assert run("baseline").code == 2


@pytest.mark.parametrize(
    ("table", "said"),
    [
        pytest.param("[tool.cleanguard\n", "lib/pyproject.toml:1: not valid TOML", id="header"),
        pytest.param("[tool.cleanguard]\nx = [\n", "lib/pyproject.toml:2: not valid TOML", id="open list"),
        pytest.param('[tool.cleanguard]\n\nextend = "../no.toml"\n',
                     "lib/pyproject.toml:3: `extend`: there is no file no.toml", id="extend"),
        pytest.param('[tool.cleanguard]\nbaseline = "no.json"\n',
                     "lib/pyproject.toml:2: `baseline`: lib/no.json: cannot read", id="no baseline"),
        pytest.param('[tool.cleanguard]\nbaseline = "b.py"\n',
                     "lib/pyproject.toml:2: `baseline`: lib/b.py: not a baseline", id="no such thing"),
        pytest.param("[tool.cleanguard]\n".encode("utf-16"), "lib/pyproject.toml: not UTF-8", id="UTF-16"),
    ],
)  # fmt: skip
def test_what_a_folders_configuration_names_costs_that_folder(
    run: Run, table: str | bytes, said: str
) -> None:
    Path("lib/pyproject.toml").write_bytes(table.encode() if isinstance(table, str) else table)
    ran = run("check", "--no-cache", "--output-format", "concise", "-q")
    assert ran.code == 2
    assert places(ran.out) == ["a.py", "tests/c.py"]
    assert said in ran.err
    assert "the files in lib were not checked" in ran.err


def test_files_that_nobody_could_look_at_are_not_excluded(run: Run) -> None:
    put("lib/pyproject.toml", "[tool.cleanguard]\nselectt = []\n")
    ran = run("status", "lib", "a.py")
    assert "unreadable lib/b.py  its folder's configuration cannot be used" in ran.out
    assert "1 excluded" not in ran.out


def test_other_peoples_broken_files_are_none_of_ours(run: Run) -> None:
    put("lib/pyproject.toml", "[tool.other\n")
    assert len(places(check(run))) == 3


def test_a_nested_baseline_holds_for_its_folder(run: Run) -> None:
    configure("lib", 'baseline = "known.json"')
    assert run("baseline", "lib").code == 0
    ran = run("check", "--no-cache", "--output-format", "concise")
    assert places(ran.out) == ["a.py", "tests/c.py"]
    assert "1 known from" in ran.err


def test_fixable_and_unfixable(run: Run) -> None:
    put("d.py", UNUSED)
    assert "[*]" in check(run, "d.py")
    assert "[*]" not in check(run, "d.py", "--unfixable", "CG9")
    assert "[*]" not in check(run, "d.py", "--fixable", "CG102")
    assert "[*]" in check(
        run, "d.py", "--fixable", "CG102", "--extend-fixable", "unused-suppression"
    )
    check(run, "d.py", "--fix", "--unfixable", "CG901")
    assert Path("d.py").read_text(encoding="utf-8") == UNUSED
    configure(".", 'unfixable = ["CG901"]')
    assert "[*]" not in check(run, "d.py")


def test_fix_only_show_fixes_and_exit_non_zero_on_fix(run: Run) -> None:
    put("d.py", UNUSED + HEAD + LOAD)
    ran = run("check", "--no-cache", "d.py", "--fix-only", "--show-fixes")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == ("Fixed 1 finding (1 CG901).\n  d.py:\n    1 × CG901 (unused-suppression)\n")
    assert Path("d.py").read_text(encoding="utf-8").startswith("x = 1\n")
    put("e.py", UNUSED)
    assert run("check", "--no-cache", "e.py", "--fix", "--exit-non-zero-on-fix").code == 1
    assert run("check", "--no-cache", "e.py", "--fix", "--exit-non-zero-on-fix").code == 0


def test_quiet_silent_and_verbose(run: Run) -> None:
    ran = run("check", "--no-cache", "a.py", "-q", "--output-format", "concise")
    assert len(ran.out.splitlines()) == 1
    ran = run("check", "--no-cache", "a.py", "-s")
    assert (ran.code, ran.out, ran.err) == (1, "", "")
    configure("lib", 'select = ["CG1"]')
    ran = run("check", "--no-cache", "-v", "--output-format", "concise")
    assert "3 files to check" in ran.err
    assert f"1 file with the configuration of {Path('lib').absolute()}" in ran.err


def test_show_files_and_show_settings(run: Run) -> None:
    configure("lib", 'select = ["CG1"]\nseverities = { CG104 = "error" }')
    ran = run("check", "--show-files", "--exclude", "tests")
    assert (ran.code, ran.out.splitlines()) == (0, ["a.py", "lib/b.py"])
    ran = run("check", "lib", "--show-settings")
    assert 'select = ["CG1"]' in ran.out
    # What is shown can be written into a file.
    put("other/pyproject.toml", ran.out)
    put("other/x.py", HEAD + LOAD)
    assert places(check(run, "other")) == ["other/x.py"]


def test_target_version(run: Run) -> None:
    ran = run("check", "a.py", "--target-version", "transformers>=5")
    assert ran.code == 1
    ran = run("check", "a.py", "--target-version", "transfomers>=5")
    assert (ran.code, "did you mean 'transformers'?" in ran.err) == (2, True)


def test_add_ignore_writes_a_reason_at_every_finding(run: Run) -> None:
    text = (
        HEAD
        + LOAD
        + "tok.chat_template = None  # noqa\n"
        + 'b = AutoTokenizer.from_pretrained(\n    "Qwen/Qwen2.5-32B"\n)\n'
        + 's = """\n""", AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")\n'
    )
    put("a.py", text)
    ran = run("check", "--no-cache", "a.py", "--add-ignore", "it is the old path of an experiment")
    assert (ran.code, ran.err) == (
        0,
        "Suppressed 4 findings (3 CG102, 1 CG103) in 1 file.\n",
    )
    after = Path("a.py").read_text(encoding="utf-8")
    assert after.count("# cleanguard: ignore[") == 4
    assert "None  # noqa  # cleanguard: ignore[CG103] it is the old path" in after
    check(run, "a.py", code=0)
    # Comments that are there gain codes, and keep their reason.
    put(
        "b.py",
        HEAD + LOAD.rstrip() + "; tok.chat_template = None  # cleanguard: ignore[CG103] known\n",
    )
    assert run("check", "--no-cache", "b.py", "--add-ignore", "another").code == 0
    assert "# cleanguard: ignore[CG103, CG102] known" in Path("b.py").read_text(encoding="utf-8")
    for reason in ("", "…", "a # b", "a\nb"):
        assert run("check", "a.py", "tests", "--add-ignore", reason).code == 2


def test_one_of_two_alike_can_be_suppressed(run: Run) -> None:
    put("a.py", f"{HEAD}{LOAD}def f():\n    {LOAD.rstrip()}; s = '''\n'''\n")
    ran = run("check", "--no-cache", "a.py", "--add-ignore", "an old path")
    assert (ran.code, ran.err) == (
        1,
        "Suppressed 1 finding (1 CG102) in 1 file.\n"
        "cleanguard: a.py:4:11: CG102 cannot be suppressed by a comment here\n",
    )


def test_add_ignore_tells_what_no_comment_can_suppress(run: Run) -> None:
    put("a.py", "def f(:\n")
    before = json.dumps(notebook([HEAD + "%time " + LOAD, "def f(:\n"]))
    put("n.ipynb", before)
    ran = run("check", "--no-cache", "a.py", "n.ipynb", "--add-ignore", "because")
    assert ran.code == 1
    assert "a.py:1:" in ran.err
    assert "n.ipynb:cell 1:2:" in ran.err
    assert "n.ipynb:cell 2:1:" in ran.err
    assert ran.err.count("cannot be suppressed by a comment here") == 3
    assert Path("n.ipynb").read_text(encoding="utf-8") == before


@pytest.mark.parametrize("lines", [True, False], ids=["lines", "one string"])
@pytest.mark.parametrize("indent", [None, 1], ids=["compact", "indented"])
def test_add_ignore_writes_into_the_cells_of_a_notebook(
    run: Run, indent: int | None, lines: bool
) -> None:
    document = notebook(
        [
            HEAD + "!nvidia-smi\n" + LOAD.rstrip(),
            f"x = 1\n\n{LOAD.rstrip()}; tok.chat_template = None  # cleanguard: ignore[CG103] known\n",
            f"%%writefile other.py\n{HEAD}{LOAD}",
            f"%time {LOAD}",
        ],
        lines=lines,
    )
    put("n.ipynb", json.dumps(document, indent=indent))
    ran = run("check", "--no-cache", "n.ipynb", "--add-ignore", "the old path")
    assert ran.code == 1
    assert ran.err.endswith(
        "Suppressed 3 findings (3 CG102) in 1 file.\n"
        "cleanguard: n.ipynb:cell 4:1:13: CG102 cannot be suppressed by a comment here\n"
    )
    after = json.loads(Path("n.ipynb").read_text(encoding="utf-8"))
    texts = ["".join(cell["source"]) for cell in after["cells"]]
    comment = "  # cleanguard: ignore[CG102] the old path"
    assert texts[0] == HEAD + "!nvidia-smi\n" + LOAD.rstrip() + comment
    assert "None  # cleanguard: ignore[CG103, CG102] known\n" in texts[1]
    assert texts[2] == f"%%writefile other.py\n{HEAD}{LOAD.rstrip()}{comment}\n"
    for cell, old in zip(after["cells"], document["cells"], strict=True):
        assert type(cell["source"]) is type(old["source"])
        assert {**cell, "source": ""} == {**old, "source": ""}
    left = run("check", "--no-cache", "n.ipynb", "--output-format", "concise").out
    assert [line.partition(" CG")[0] for line in left.splitlines() if "CG" in line] == [
        "n.ipynb:cell 4:1:13:"
    ]


def notebook(cells: list[str], *, lines: bool = True) -> dict[str, object]:
    return {
        "cells": [
            {
                "cell_type": "code",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": text.splitlines(keepends=True) if lines else text,
            }
            for text in cells
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 4,
    }


@pytest.mark.parametrize("lines", [True, False], ids=["lines", "one string"])
@pytest.mark.parametrize("indent", [None, 1], ids=["compact", "indented"])
def test_a_finding_in_a_notebook_is_placed_in_its_file(
    run: Run, indent: int | None, lines: bool
) -> None:
    odd = 'q = "ü\\n\t😀"; '
    document = notebook(["x = 1\n", HEAD + "\n" + odd + LOAD], lines=lines)
    text = json.dumps(document, indent=indent)
    put("n.ipynb", text)

    def at(format_: str) -> str:
        return run(
            "check", "--no-cache", "n.ipynb", "--output-format", format_, "--select", "CG102"
        ).out

    region = json.loads(at("sarif"))["runs"][0]["results"][0]["locations"][0]["physicalLocation"][
        "region"
    ]
    row = text.split("\n")[region["startLine"] - 1]
    assert (
        row[region["startColumn"] - 1 : region["endColumn"] - 1]
        == (json.dumps('AutoTokenizer.from_pretrained("Qwen/Qwen2.5-32B")')[1:-1])
    )
    assert f",line={region['startLine']},col={region['startColumn']}," in at("github")
    assert "cell 2:3:" in at("github")
    begin = json.loads(at("gitlab"))[0]["location"]["positions"]["begin"]
    assert (begin["line"], begin["column"]) == (region["startLine"], region["startColumn"])
    start = json.loads(at("rdjson"))["diagnostics"][0]["location"]["range"]["start"]
    assert start["line"] == region["startLine"]
    assert at("pylint").startswith(f"n.ipynb:{region['startLine']}: [CG102] cell 2:3:")
    # JSON keeps the cell.
    assert json.loads(at("json"))[0]["location"] == {"cell": 2, "row": 3, "column": 20}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_reports_carry_the_edits_of_fixes(run: Run, end: str) -> None:
    text = f"é = 'ü'{end}# ä{end}{UNUSED.rstrip()}{end}y = 2{end}"
    Path("d.py").write_bytes(text.encode())

    def report(format_: str) -> object:
        return json.loads(run("check", "--no-cache", "d.py", "--output-format", format_).out)

    (found,) = report("json")  # type: ignore[misc]
    (edit,) = found["fix"]["edits"]
    assert edit == {
        "content": "",
        "location": {"row": 3, "column": 6},
        "end_location": {"row": 3, "column": len(UNUSED)},
    }
    (run_,) = report("sarif")["runs"]  # type: ignore[index]
    (change,) = run_["results"][0]["fixes"][0]["artifactChanges"]
    assert change["replacements"][0]["deletedRegion"] == {
        "startLine": 3,
        "startColumn": 6,
        "endLine": 3,
        "endColumn": len(UNUSED),
    }
    (diagnostic,) = report("rdjson")["diagnostics"]  # type: ignore[index]
    assert diagnostic["suggestions"][0]["text"] == ""
    fixed = run("check", "--no-cache", "d.py", "--fix")
    assert fixed.code == 0
    assert Path("d.py").read_bytes().decode() == f"é = 'ü'{end}# ä{end}x = 1{end}y = 2{end}"


def test_help_links_are_there_where_the_documentation_is_published(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rule() -> dict[str, object]:
        out = run("check", "--no-cache", "a.py", "--output-format", "sarif").out
        driver = json.loads(out)["runs"][0]["tool"]["driver"]
        return {**driver["rules"][0], "site": driver.get("informationUri")}

    assert "Why it matters" in rule()["help"]["markdown"]  # type: ignore[index]
    monkeypatch.setenv("CLEANGUARD_DOCS", "https://docs.example/cleanguard")
    assert rule()["helpUri"] == "https://docs.example/cleanguard/hazards/CG102-raw-tokenizer-load/"
    assert rule()["site"] == "https://docs.example/cleanguard/"


def test_what_github_does_not_show_is_told(run: Run) -> None:
    put("many.py", HEAD + LOAD * 12)
    ran = run("check", "--no-cache", "many.py", "--output-format", "github")
    assert ran.out.count("::error ") == 12
    assert "2 errors more are in the log only" in ran.err
    assert run("check", "--no-cache", "a.py", "--output-format", "github").err == ""


def test_grouped_pylint_and_azure(run: Run) -> None:
    ran = run("check", "--no-cache", "--output-format", "grouped", "-q", "a.py", "lib")
    assert [line for line in ran.out.splitlines() if line.endswith(":")] == ["a.py:", "lib/b.py:"]
    ran = run("check", "--no-cache", "--output-format", "pylint", "a.py")
    assert ran.out.startswith("a.py:2: [CG102] ")
    ran = run("check", "--no-cache", "--output-format", "azure", "a.py")
    assert ran.out.startswith(
        "##vso[task.logissue type=error;sourcepath=a.py;linenumber=2;columnnumber=7;code=CG102;]"
    )


def test_the_cache_folder_and_ignored_files(run: Run) -> None:
    run("check", "a.py", "--cache-dir", "here")
    assert list(Path("here").glob("*.json"))
    put(".gitignore", "lib/\n")
    assert places(check(run)) == ["a.py", "tests/c.py"]
    assert places(check(run, "--no-respect-gitignore")) == ["a.py", "lib/b.py", "tests/c.py"]


@pytest.mark.parametrize(("given", "meant"), [("cg1", "CG1"), ("cg20", "CG20"), ("all", "ALL"), ("Double-BOS", "double-bos")])  # fmt: skip
def test_a_code_in_the_wrong_case_is_proposed_in_the_right_one(
    run: Run, given: str, meant: str
) -> None:
    ran = run("check", "--select", given)
    assert ran.code == 2
    assert f"did you mean {meant!r}?" in ran.err


def test_a_wrong_version_names_the_option_that_was_given(run: Run) -> None:
    ran = run("check", "--target-version", "transformers>=x")
    assert ran.code == 2
    assert "`--target-version`" in ran.err
