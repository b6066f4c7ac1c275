"""The fuzzing of benchmarks/fuzz, a little of each kind; docs/reliability.md has the figures of the long runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fuzz import __main__ as fuzz
from benchmarks.fuzz.code import migrate
from benchmarks.fuzz.outcomes import Outcome, Shards, Tally
from cleanguard.editing.edits import Edit
from cleanguard.files import SourceFile
from codemods.plan.documents import ScriptDocument
from lint_rules._engine import worker

LOAD = b'from transformers import AutoModelForCausalLM\n# keep\nm = AutoModelForCausalLM.from_pretrained("gpt2")\n'


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(worker, "SECONDS", worker.SECONDS)  # which a run sets, and a test puts back
    monkeypatch.setenv("CLEANGUARD_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*fuzz.kinds(), *fuzz.KILLS[:4], "runs"])
def test_nothing_wrong_comes_of_any_case(kind: str) -> None:
    if kind.endswith("-drawn"):
        pytest.importorskip("hypothesmith", reason="not in the dev extra: pip install hypothesmith")
    cases = {"check": 600, "migrate": 200, "notebooks": 200, "configuration": 200, "records": 200}
    tally = fuzz.fuzz(kind, cases.get(kind, 24), 11, Shards(None, ""))
    assert tally.cases == cases.get(kind, 24)
    assert tally.wrong == []


def test_a_case_is_made_of_its_number_alone() -> None:
    kind = fuzz.kinds()["check"]
    assert kind.make(5, range(3, 6))[1:] == kind.make(5, range(4, 6))


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    tally = Tally()
    tally.add(7, Outcome("internal error", 0.5, "why"))
    Shards(file, "check 1").put("0-200", tally)
    again = Shards(file, "check 1").get("0-200")
    assert again == tally
    assert again is not None
    assert again.wrong == [(7, "internal error", "why")]
    assert Shards(file, "check 2").get("0-200") is None


def test_bytes_outside_the_edits_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    file = SourceFile("a.py", Path("a.py"), LOAD)
    assert migrate(file).said == "rewritten"
    written = ScriptDocument.written

    def careless(document: ScriptDocument, edits: list[Edit]) -> bytes:
        return written(document, edits).replace(b"# keep", b"# kept")

    monkeypatch.setattr(ScriptDocument, "written", careless)
    monkeypatch.setattr(
        "codemods.migration._Planner._proven", lambda *_, **__: ()
    )  # who would have seen it
    assert migrate(file).said in ("bytes outside the edits", "a comment is lost")


def test_a_fault_of_ours_is_seen() -> None:
    def stumble(_: SourceFile) -> Outcome:
        raise KeyError("x")

    with fuzz.Each(stumble, "working on", jobs=1) as each:
        (one,) = each.run([SourceFile("a.py", Path("a.py"), b"")])
    assert fuzz._told(one).said == "internal error"
