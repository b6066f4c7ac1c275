"""Reports of real findings against what their readers ask for.

SARIF is held against OASIS' schema, as pydantic-sarif has it. GitLab's and reviewdog's schemas are in no package
for Python, so what they and the documentation ask for is written down here, stricter than they are: nothing
that they do not name may stand in a report. By hand, reports of this project were held against the schemas themselves:
oasis-tcs/sarif-spec e0583813, GitLab's app/validators/json_schemas/codeclimate.json at 33827e3a, reviewdog's
proto/rdf/jsonschema/DiagnosticResult.json at 08614ef9.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cleanguard.report.places import from_root

jsonschema = pytest.importorskip("jsonschema", reason="comes with the dev extra")
nbformat = pytest.importorskip("nbformat", reason="comes with the dev extra")

LEGACY = Path(__file__).resolve().parents[3] / "cleanguard" / "legacy"
WHOLE = {"type": "integer", "minimum": 1}


def exact(required: str, **properties: Any) -> dict[str, Any]:
    """An object with these properties and no others; some must be there."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


TEXT = {"type": "string", "minLength": 1}
PLACE = exact("line column", line=WHOLE, column=WHOLE)
GITLAB = {
    "type": "array",
    "items": exact(
        "description check_name fingerprint severity location",
        type={"const": "issue"},
        check_name={"pattern": "^CG[0-9]{3}$"},
        description=TEXT,
        categories={"type": "array", "items": {"const": "Bug Risk"}},
        severity={"enum": ["info", "minor", "major", "critical", "blocker"]},
        fingerprint={"pattern": "^[0-9a-f]{16,}$"},
        location=exact(
            "path positions",
            # From the root of the repository.
            path={"type": "string", "pattern": "^(?!/|\\./|\\.\\./)."},
            positions=exact("begin end", begin=PLACE, end=PLACE),
        ),
    ),
}
RANGE = exact("start", start=PLACE, end=PLACE)
RDJSON = exact(
    "source diagnostics",
    source=exact("name", name=TEXT, url=TEXT),
    severity={"enum": ["ERROR", "WARNING", "INFO"]},
    diagnostics={
        "type": "array",
        "items": exact(
            "message location",
            message=TEXT,
            location=exact("path", path=TEXT, range=RANGE),
            severity={"enum": ["ERROR", "WARNING", "INFO"]},
            source=exact("name", name=TEXT, url=TEXT),
            code=exact("value", value=TEXT, url=TEXT),
            suggestions={
                "type": "array",
                "items": exact("range text", range=RANGE, text={"type": "string"}),
            },
            original_output=TEXT,
        ),
    },
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real scripts, a file that is none, odd names and characters, fixes, a notebook."""
    folder = tmp_path_factory.mktemp("project")
    for script in LEGACY.glob("*.py"):
        (folder / script.name).write_bytes(script.read_bytes())
    (folder / "broken.py").write_text("x = (\n", encoding="utf-8")
    (folder / "naïve %;,] x.py").write_bytes(
        'é = 1  # cleanguard: ignore[CG201] reason\r\nfrom transformers import AutoTokenizer as T\r\nt = T.from_pretrained("gpt2")\r\n'.encode()
    )
    book = nbformat.v4.new_notebook()
    book.cells = [
        nbformat.v4.new_markdown_cell("text"),
        nbformat.v4.new_code_cell(
            "from transformers import AutoTokenizer\nt = AutoTokenizer.from_pretrained('gpt2')\nids = t('x', add_special_tokens=False)"
        ),
        nbformat.v4.new_code_cell("x = 1  # cleanguard: ignore[CG201] none"),
    ]
    nbformat.write(book, folder / "nb.ipynb")
    return folder


def report(project: Path, form: str, **environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", "from cleanguard.cli import main; main()", "check", ".", "--no-cache", "--output-format", form],
        cwd=project, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    return json.loads(done.stdout)


def test_gitlab(project: Path) -> None:
    found = report(project, "gitlab", CI_PROJECT_DIR=str(project.parent))
    jsonschema.validate(found, GITLAB)
    assert len(found) > 100
    assert len({issue["fingerprint"] for issue in found}) == len(found)
    # The whole path from GitLab's own root, although the check ran in a folder below it.
    assert {issue["location"]["path"].partition("/")[0] for issue in found} == {project.name}


@pytest.mark.parametrize("site", ["", "https://docs.example.org/cleanguard"])
def test_rdjson(project: Path, site: str) -> None:
    found = report(project, "rdjson", CLEANGUARD_DOCS=site)
    jsonschema.validate(found, RDJSON)
    assert any("suggestions" in one for one in found["diagnostics"])
    assert any("nb.ipynb" in one["location"]["path"] for one in found["diagnostics"])
    assert all(("url" in one["code"]) == bool(site) for one in found["diagnostics"])


@pytest.mark.parametrize("site", ["", "https://docs.example.org/cleanguard"])
def test_sarif(project: Path, site: str) -> None:
    model = pytest.importorskip("pydantic_sarif.model", reason="comes with the dev extra")
    found = report(project, "sarif", CLEANGUARD_DOCS=site)
    (name,) = [name for name in dir(model) if name.startswith("StaticAnalysisResultsFormat")]
    whole = getattr(model, name)
    assert whole.model_config["extra"] == "forbid"
    whole.model_validate(found)
    (run,) = found["runs"]
    assert any("fixes" in result for result in run["results"])
    rules = run["tool"]["driver"]["rules"]
    # No link where the documentation is published nowhere: a dead one is worse.
    assert all(("helpUri" in rule) == bool(site) for rule in rules)
    assert all(result["ruleId"] == rules[result["ruleIndex"]]["id"] for result in run["results"])


@pytest.mark.parametrize(
    ("filename", "root", "seen"),
    [
        ("a.py", None, "a.py"),
        ("./b/../a.py", None, "a.py"),
        ("{here}/a b.py", None, "a b.py"),
        ("a.py", "{above}", "{name}/a.py"),
        ("../a.py", "{above}", "a.py"),
        ("../a.py", None, "../a.py"),
        ("/elsewhere/a.py", "{above}", "/elsewhere/a.py"),
        ("a.py", "/elsewhere", "a.py"),
    ],
)
def test_files_are_named_from_the_checkouts_root(
    filename: str, root: str | None, seen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = {"here": str(tmp_path), "above": str(tmp_path.parent), "name": tmp_path.name}
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    if root is not None:
        monkeypatch.setenv("GITHUB_WORKSPACE", root.format(**words))
    assert from_root(filename.format(**words), "github") == seen.format(**words)
