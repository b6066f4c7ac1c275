"""`check --with-trace`: what a run says about each finding."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cleanguard.cli.conftest import Run

SCRIPT = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

NAME = "google/gemma-3-270m"
tok = AutoTokenizer.from_pretrained(NAME)
model = AutoModelForCausalLM.from_pretrained(NAME)
ids = tok("text", add_special_tokens=False, return_tensors="pt")
out = model.generate(**ids, max_new_tokens=3, do_sample=False)
print(tok.decode(out[0]))


def never():
    ids = tok("text", add_special_tokens=False, return_tensors="pt")
    return model.generate(**ids, max_new_tokens=3, do_sample=False)
"""


def place(row: int, column: int, end: int, what: str, **more: Any) -> dict[str, Any]:
    return {
        "filename": "script.py",
        "location": {"row": row, "column": column, "cell": 0},
        "end_location": {"row": row, "column": end, "cell": 0},
        "count": 1,
        "callers": [],
        "what": what,
        **more,
    }


def hazard(row: int, column: int, end: int, code: str, **more: Any) -> dict[str, Any]:
    found = place(row, column, end, code, code=code, severity="error", related=[])
    return found | {"message": f"{code} as it was seen", "count": 4, **more}


@pytest.fixture
def traced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes the script and a trace of it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.py").write_text(SCRIPT)

    def write(*hazards: dict[str, Any], **changes: Any) -> str:
        reached = [
            place(4, 7, 42, "load"),
            place(5, 9, 51, "load"),
            place(6, 7, 65, "encode"),
            place(7, 7, 63, "generate"),
        ]
        digest = hashlib.sha256(SCRIPT.encode()).hexdigest()
        content = {
            "trace": 1,
            "folder": str(tmp_path),
            "hazards": list(hazards),
            "reached": reached,
            "files": {"script.py": digest},
        }
        (tmp_path / "trace.json").write_text(json.dumps(content | changes))
        return "trace.json"

    return write


def statuses(out: str, code: str) -> list[str]:
    return [one["trace"]["status"] for one in json.loads(out) if one["code"] == code]


def test_confirmed_contradicted_and_not_reached(run: Run, traced: Any) -> None:
    file = traced(hazard(6, 7, 65, "CG201"), hazard(5, 9, 51, "CG101"))
    done = run("check", "script.py", "--with-trace", file, "--output-format", "json")
    assert statuses(done.out, "CG201") == ["confirmed", "not reached"]
    assert statuses(done.out, "CG101") == ["confirmed"]
    assert statuses(done.out, "CG102") == ["contradicted"]
    assert statuses(done.out, "CG301") == ["contradicted", "not reached"]
    first = next(one for one in json.loads(done.out) if one["code"] == "CG201")
    assert first["trace"]["count"] == 4
    assert first["message"].endswith("[trace: confirmed, seen 4×]")


def test_a_hazard_seen_at_a_caller_confirms(run: Run, traced: Any) -> None:
    caller = {"filename": "script.py", "location": {"row": 6, "column": 7, "cell": 0}}
    caller["end_location"] = {"row": 6, "column": 65, "cell": 0}
    file = traced(hazard(6, 1, 2, "CG201", filename="helper.py", related=[caller]))
    done = run("check", "script.py", "--with-trace", file, "--output-format", "json")
    assert statuses(done.out, "CG201") == ["confirmed", "not reached"]


def test_what_only_the_run_saw_is_listed_and_counts(run: Run, traced: Any) -> None:
    file = traced(hazard(6, 7, 65, "CG204"))
    done = run("check", "script.py", "--with-trace", file, "--select", "CG204")
    assert done.code == 1
    assert "CG204 as it was seen [trace: only the run saw it, 4×]" in done.out
    assert run("check", "script.py", "--select", "CG204").code == 0


def test_a_changed_file_is_said_and_not_compared(run: Run, traced: Any) -> None:
    file = traced(hazard(6, 7, 65, "CG201"), files={"script.py": "0" * 64})
    done = run("check", "script.py", "--with-trace", file, "--output-format", "json")
    assert "was changed after trace.json was made" in done.err
    assert all("trace" not in finding for finding in json.loads(done.out))


def test_without_a_trace_nothing_changes(run: Run, traced: Any) -> None:
    traced()
    done = run("check", "script.py", "--output-format", "json")
    assert all("trace" not in finding for finding in json.loads(done.out))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read the trace"),
        ("[]", "not a trace"),
        ("{", "not a trace"),
        ('{"trace": 9}', "version 9 of the format is not known"),
        ('{"trace": 1, "folder": "."}', "not a trace"),
    ],
    ids=["missing", "a list", "no JSON", "another version", "half"],
)
def test_what_is_no_trace_is_said(
    run: Run, traced: Any, tmp_path: Path, content: str | None, said: str
) -> None:
    traced()
    if content is not None:
        (tmp_path / "other.json").write_text(content)
    done = run("check", "script.py", "--with-trace", "other.json")
    assert done.code == 2
    assert said in done.err
    assert "other.json" in done.err


def test_it_excludes_fixes(run: Run, traced: Any) -> None:
    done = run("check", "script.py", "--with-trace", traced(), "--fix")
    assert done.code == 2
    assert "excludes --fix" in done.err


TRAINED = """\
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer

NAME = "meta-llama/Llama-3.1-8B-Instruct"
tok = AutoTokenizer.from_pretrained(NAME)
model = AutoModelForCausalLM.from_pretrained(NAME)
text = tok.apply_chat_template(turns, tokenize=False)
rows = tok(text, return_tensors="pt")
model.generate(**rows)
Trainer(model=model, train_dataset=[rows]).train()
"""


def test_a_second_bos_is_confirmed_by_the_rows_that_are_trained_on(
    run: Run, traced: Any, tmp_path: Path
) -> None:
    (tmp_path / "script.py").write_text(TRAINED)
    digest = hashlib.sha256(TRAINED.encode()).hexdigest()
    asked = ("check", "script.py", "--scope", "all", "--output-format", "json", "--with-trace")
    done = run(*asked, traced(hazard(9, 1, 50, "CG402"), files={"script.py": digest}))
    assert statuses(done.out, "CG202") == ["confirmed"]
    assert statuses(done.out, "CG402") == []
    done = run(*asked, traced(hazard(9, 1, 50, "CG401"), files={"script.py": digest}))
    assert "confirmed" not in statuses(done.out, "CG202")


def test_a_load_that_raised_contradicts_nothing(run: Run, traced: Any) -> None:
    file = traced(reached=[place(5, 9, 51, "load that raised"), place(4, 7, 42, "load")])
    done = run("check", "script.py", "--with-trace", file, "--output-format", "json")
    assert statuses(done.out, "CG101") == ["not reached"]
    assert statuses(done.out, "CG102") == ["contradicted"]
