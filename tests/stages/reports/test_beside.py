"""The gate that `cleanguard gate` writes is the one that reports read."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cleanguard.errors import JobError
from guard import Loaded
from stages.reports.beside import gate_words, linked, session_gate
from stages.tiny import model_path


def gated(folder: Path, script: str) -> Path:
    """A gate.json from the command itself, for a folder with one script."""
    (folder / "code").mkdir()
    (folder / "code" / "script.py").write_text(script)
    subprocess.run(
        [
            sys.executable, "-c", "from cleanguard.cli import main; main()", "gate",
            str(folder / "code"), "--model", str(model_path()),
        ],
        cwd=folder, capture_output=True, check=False,
    )  # fmt: skip
    return folder / "gate.json"


def test_go_and_the_model_it_was_given_for(tmp_path: Path, tiny: Loaded) -> None:
    found = session_gate(gated(tmp_path, "print(1)\n"), tmp_path / "runs" / "evaluate")
    assert found.go
    assert {check.verdict for check in found.checks} == {"pass"}
    assert found.link == Path("../../gate.json")
    assert gate_words(found, tiny.provenance) is None
    other = replace(found, weights="0" * 64)
    assert gate_words(other, tiny.provenance) == "the session's gate was passed with another model"


@pytest.mark.slow
def test_no_go_is_a_warning(tmp_path: Path, tiny: Loaded) -> None:
    script = "from transformers import AutoModelForCausalLM\n"
    script += 'm = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-3.1-8B")\n'
    found = session_gate(gated(tmp_path, script))
    assert not found.go
    assert gate_words(found, tiny.provenance) == "the session's gate said no-go (findings)"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "not what `cleanguard gate` writes"),
        ({"passed": True}, "not what `cleanguard gate` writes"),
        ({"go": True, "created": "x", "model": None, "checks": [1]}, "not what `cleanguard gate`"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: Any, said: str) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "gate.json").write_text(text)
    with pytest.raises(JobError, match=said):
        session_gate(tmp_path / "gate.json")
    with pytest.raises(JobError, match="no such file"):
        session_gate(tmp_path / "none.json")


def test_links_are_seen_from_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert linked(Path("notice.md"), Path("runs/e")) == Path("../../notice.md")
    assert linked(Path("notice.md"), None) == Path("notice.md")


@pytest.mark.parametrize(
    ("row", "held"),
    [
        ({"prompt": "Instruction: {}\nResponse:"}, True),
        ({"text": "Please answer: {} Be brief."}, True),
        ({"instruction": "{}".replace(" ", "\u200b ")}, True),
        ({"prompt": "What is it?"}, False),
    ],
)
def test_items_within_training_rows_are_counted(
    tmp_path: Path, row: dict[str, str], held: bool
) -> None:
    from stages.reports.beside import overlap_with
    from stages.suites.world import instruct

    suite = instruct()
    item = next(one for one in suite.items if len(one.prompt.split()) > 5)
    words = item.prompt.replace(" ", " \u200b") if "instruction" in row else item.prompt
    [(name, form)] = row.items()
    (tmp_path / "t.jsonl").write_text(json.dumps({name: form.replace("{}", words)}) + "\n")
    assert (overlap_with(suite, [tmp_path / "t.jsonl"]).items == (item.prompt,)) == held
