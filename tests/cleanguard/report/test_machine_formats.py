"""Each machine-readable format: what its consumers read, odd characters, and nothing found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cleanguard.catalogue.findings import Change, Finding, Fix, Position
from cleanguard.catalogue.hazards import DOUBLE_BOS, RAW_GENERATE
from cleanguard.report.formats import MACHINE, render
from cleanguard.report.statistics import as_json


def finding(row: int = 3, filename: str = "src/naïve, 100%.py", message: str = "odd") -> Finding:
    return Finding(
        hazard=RAW_GENERATE if row != 9 else DOUBLE_BOS,
        severity="error" if row != 9 else "warning",
        confidence="followed",
        filename=filename,
        location=Position(row, 5),
        end_location=Position(row + 1, 2),
        message=message,
        remedy="call the loader",
    )


def sources(_: str) -> Sequence[str]:
    return ["", "", "é = x()", ")", "", "", "", "", "y"]


FINDINGS = [finding(), finding(9), finding(3, "b.py", "a\nb | ]]> <&\x00\x1b[31m\ud800")]


@pytest.mark.parametrize("name", MACHINE)
@pytest.mark.parametrize("found", [FINDINGS, []], ids=["findings", "none"])
def test_every_format_ends_in_one_newline_and_can_be_encoded(name: str, found: list) -> None:
    text = render(name, found, sources)
    text.encode(errors="backslashreplace")
    assert text.endswith("\n") or (not found and text == "")
    assert not text.endswith("\n\n")


@pytest.mark.parametrize("name", ["json", "gitlab", "sarif", "rdjson"])
def test_json_formats_parse(name: str) -> None:
    assert json.loads(render(name, FINDINGS, sources))


def test_json_lines() -> None:
    lines = render("json-lines", FINDINGS, sources).splitlines()
    assert [json.loads(line) for line in lines] == json.loads(render("json", FINDINGS, sources))


def test_github_escapes_what_would_end_a_property_or_the_line() -> None:
    first, second, third = render("github", FINDINGS, sources).splitlines()
    assert first == (
        "::error title=cleanguard (CG301),file=src/naïve%2C 100%25.py,line=3,col=5,endLine=4,endColumn=2"
        "::src/naïve, 100%25.py:3:5: CG301 odd; call the loader"
    )
    assert second.startswith("::warning ")
    assert "a%0Ab" in third


def test_gitlab() -> None:
    first, *rest = json.loads(render("gitlab", FINDINGS, sources))
    assert (first["check_name"], first["severity"]) == ("CG301", "major")
    assert first["location"] == {
        "path": "src/naïve, 100%.py",
        "positions": {"begin": {"line": 3, "column": 5}, "end": {"line": 4, "column": 2}},
    }
    assert len({first["fingerprint"], *(issue["fingerprint"] for issue in rest)}) == 3


def test_rdjson_counts_bytes() -> None:
    whole = json.loads(render("rdjson", FINDINGS, sources))
    assert whole["diagnostics"][0]["location"]["range"]["start"] == {"line": 3, "column": 6}
    assert whole["diagnostics"][0]["severity"] == "ERROR"


def test_sarif_is_what_the_schema_asks_for() -> None:
    model = pytest.importorskip("pydantic_sarif.model", reason="comes with the dev extra")
    for found in (FINDINGS, []):
        whole = json.loads(render("sarif", found, sources))
        names = [n for n in dir(model) if n.startswith("StaticAnalysisResultsFormat")]
        getattr(model, names[0]).model_validate(whole)
    (run,) = json.loads(render("sarif", FINDINGS, sources))["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["CG202", "CG301"]
    first = run["results"][0]
    assert (first["ruleId"], first["ruleIndex"], first["level"]) == ("CG301", 1, "error")
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "src/na%C3%AFve%2C%20100%25.py"


def test_sarif_names_absolute_paths_as_files(tmp_path: Path) -> None:
    (run,) = json.loads(render("sarif", [finding(3, str(tmp_path / "a b.py"))], sources))["runs"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == (tmp_path / "a b.py").as_uri()


@pytest.mark.parametrize("found", [FINDINGS, []], ids=["findings", "none"])
def test_junit_is_read_by_parsers(found: list) -> None:
    text = render("junit", found, sources)
    root = ElementTree.fromstring(text)
    assert (root.get("tests"), root.get("failures")) == (str(len(found) or 1), str(len(found)))
    assert len(root.findall("testsuite")) == (2 if found else 1)
    junitparser = pytest.importorskip("junitparser", reason="comes with the dev extra")
    suites = list(junitparser.JUnitXml.fromstring(text.encode()))
    cases = [case for suite in suites for case in suite]
    assert sum(not case.is_passed for case in cases) == len(found)
    assert sum(suite.failures for suite in suites) == len(found)


def test_markdown_keeps_its_table() -> None:
    lines = render("markdown", FINDINGS, sources).splitlines()
    assert lines[0] == "**cleanguard**: 2 errors, 1 warning"
    rows = lines[4:]
    assert len(rows) == 3
    assert all(row.replace("\\|", "").count("|") == 5 for row in rows)


def test_statistics() -> None:
    assert json.loads(as_json(FINDINGS)) == [
        {"code": "CG301", "name": "raw-generate", "count": 2},
        {"code": "CG202", "name": "double-bos", "count": 1},
    ]


def test_a_line_of_a_notebooks_cell_is_not_told_as_one_of_its_file() -> None:
    inside = replace(
        finding(filename="nb.ipynb"), location=Position(3, 5, 7), end_location=Position(4, 2, 7)
    )
    (command,) = render("github", [inside], sources).splitlines()
    assert ",line=" not in command
    assert "nb.ipynb:cell 7:3:5: CG301" in command
    (result,) = json.loads(render("sarif", [inside], sources))["runs"][0]["results"]
    (location,) = result["locations"]
    assert "region" not in location["physicalLocation"]
    assert location["logicalLocations"] == [{"name": "cell 7", "kind": "cell"}]
    assert result["message"]["text"].startswith("cell 7:3:5: ")


def test_fixes_are_what_the_schema_asks_for() -> None:
    model = pytest.importorskip("pydantic_sarif.model", reason="comes with the dev extra")
    change = Change(Position(3, 7), Position(3, 8), "y\n")
    fixed = replace(finding(), fix=Fix("safe", "call it y", changes=(change,)))
    whole = json.loads(render("sarif", [fixed], sources))
    names = [n for n in dir(model) if n.startswith("StaticAnalysisResultsFormat")]
    getattr(model, names[0]).model_validate(whole)
    (fix,) = whole["runs"][0]["results"][0]["fixes"]
    (replacement,) = fix["artifactChanges"][0]["replacements"]
    assert replacement["insertedContent"] == {"text": "y\n"}
    (diagnostic,) = json.loads(render("rdjson", [fixed], sources))["diagnostics"]
    # Bytes, of which `é` before it has two.
    assert diagnostic["suggestions"] == [
        {
            "range": {"start": {"line": 3, "column": 8}, "end": {"line": 3, "column": 9}},
            "text": "y\n",
        }
    ]
