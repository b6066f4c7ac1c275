"""The audit calls the shipped base clean, a tuned model not, and says why."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from guard.records.verification import verify_file
from stages.audit import CONFIG, PRESETS, AuditConfig, run
from stages.audit.findings import Finding, verdict_of
from stages.config import resolve
from stages.tiny import model_path


def config(out: Path, **changes: str) -> AuditConfig:
    overrides = {name.replace("__", "."): value for name, value in changes.items()}
    preset = None if "model.id" not in overrides else "tiny"
    return resolve(CONFIG, PRESETS, preset=preset, overrides={"out": str(out), **overrides})


def test_the_shipped_base_is_clean(tmp_path: Path) -> None:
    outcome = run(config(tmp_path / "run"))
    assert outcome.passed
    assert outcome.lines[0] == "audit: clean"
    report = json.loads((tmp_path / "run" / "audit.json").read_text())
    about = {one["about"]: one for one in report["findings"]}
    assert about["sentinels"]["decisive"]
    assert "of 249 bare requests" in about["sentinels"]["words"]
    assert "best: completion" in about["formats"]["words"]
    assert report["behaviour"]["impression"] == "base"
    for name in ("results.jsonl", "audit.json", "audit.md"):
        assert verify_file(tmp_path / "run" / name).problems == ()
    assert run(config(tmp_path / "run")).lines == outcome.lines


def test_a_model_that_answers_bare_requests_is_contaminated(tmp_path: Path, chatty: Path) -> None:
    outcome = run(config(tmp_path / "run", adapter=str(chatty)))
    assert not outcome.passed
    assert outcome.lines[0] == "audit: contaminated"
    assert "sentinels (contaminated, decides)" in "\n".join(outcome.lines)


@pytest.mark.slow
def test_a_model_that_only_ends_its_texts_is_unclear(tmp_path: Path, sft: Path) -> None:
    settings = {"adapter": str(sft)}
    outcome = run(config(tmp_path / "run", **settings))
    assert (outcome.lines[0], outcome.passed) == ("audit: unclear", True)
    assert not run(config(tmp_path / "strict", **settings, unclear_fails="true")).passed


def test_a_chat_model_is_told_without_a_traceback(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_path(), folder)
    path = folder / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": [0, 2]}))
    outcome = run(config(tmp_path / "run", model__id=str(folder)))
    assert not outcome.passed
    assert outcome.lines[0] == "audit: contaminated"
    assert "is a chat model" in outcome.lines[1]


def test_quick_prints_four_and_says_that_they_are_few(tmp_path: Path) -> None:
    outcome = run(config(tmp_path / "run", quick="true"))
    assert sum("→" in line for line in outcome.lines) == 4
    assert any("CG502" in line for line in outcome.lines)
    assert outcome.lines[0] == "audit: unclear"


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        pytest.param([("clean", True), ("neutral", False)], "clean", id="decisive and clean"),
        pytest.param([("clean", True), ("contaminated", False)], "unclear", id="advice against it"),
        pytest.param([("contaminated", True), ("clean", False)], "contaminated", id="decisive against it"),
        pytest.param([("neutral", True), ("clean", False)], "unclear", id="advice alone does not clear"),
        pytest.param([], "unclear", id="no evidence"),
    ],
)  # fmt: skip
def test_verdicts(findings: list[tuple[str, bool]], verdict: str) -> None:
    found = [Finding("x", leaning, decisive, "") for leaning, decisive in findings]  # type: ignore[arg-type]
    assert verdict_of(found) == verdict
