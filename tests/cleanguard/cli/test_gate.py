"""`cleanguard gate`: go or no-go, with the evidence in gate.json."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
LOAD = 'from transformers import AutoModelForCausalLM\nmodel = AutoModelForCausalLM.from_pretrained("gpt2")\n'


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "script.py"
    path.write_text("x = 1\n")
    return path


def verdicts(document: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {check["name"]: check["verdict"] for check in document["checks"]}


def read(folder: Path) -> dict[str, list[dict[str, str]]]:
    found = json.loads((folder / "gate.json").read_text())
    assert found["schema"] == "cleanguard.gate/1"
    return found


def test_go_with_a_model(run, script, tmp_path):
    from stages.tiny import model_path

    ran = run("gate", "--model", str(model_path()))
    assert ran.code == 0, ran.err
    document = read(tmp_path)
    assert document["go"] is True
    assert set(verdicts(document).values()) == {"pass"}
    assert document["scripts"] == {"script.py": hashlib.sha256(b"x = 1\n").hexdigest()}
    assert document["model"]["model_id"] == str(model_path())
    assert "GO" in ran.out


@pytest.mark.parametrize(
    ("text", "check"),
    [pytest.param(LOAD, "findings", id="a finding"), pytest.param("def f(:\n", "compiles", id="a syntax error")],
)  # fmt: skip
def test_no_go(text, check, run, script, tmp_path):
    script.write_text(text)
    ran = run("gate", "--no-model")
    assert ran.code == 1
    document = read(tmp_path)
    assert document["go"] is False
    assert verdicts(document)[check] == "fail"
    assert verdicts(document)["model"] == "skipped"
    assert "NO-GO" in ran.out


def test_no_go_without_the_model(run, script, tmp_path):
    (tmp_path / "empty").mkdir()
    assert run("gate", "--model", "empty").code == 1
    assert verdicts(read(tmp_path))["model"] == "fail"


def test_a_model_must_be_named_or_left_out(run, script, tmp_path):
    assert run("gate").code == 2
    assert not (tmp_path / "gate.json").exists()


def test_evidence_that_cannot_be_written_is_exit_2(run, script, tmp_path):
    assert run("gate", "--no-model", "--output", "script.py/gate.json").code == 2


def test_the_folder_of_the_evidence_is_made(run, script, tmp_path):
    ran = run("gate", "--no-model", "--output", "build/deep/gate.json")
    assert ran.code == 0, ran.err
    assert json.loads((tmp_path / "build" / "deep" / "gate.json").read_text())["go"] is True


@pytest.mark.parametrize("output", ["taken/gate.json", "folder"])
def test_evidence_that_cannot_be_written_is_told_before_the_work(
    output, run, script, tmp_path, monkeypatch
):
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr("cleanguard.cli.commands.gate._findings", lambda *_: pytest.fail("worked"))
    ran = run("gate", "--no-model", "--output", output)
    assert ran.code == 2
    assert output.split("/")[0] in ran.err


def test_tiny_is_the_embedded_model(run, script, tmp_path):
    from stages.tiny import model_path

    assert run("gate", "--model", "tiny").code == 0
    assert read(tmp_path)["model"]["model_id"] == str(model_path())
