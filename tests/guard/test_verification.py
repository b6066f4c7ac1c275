from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guard import JsonlWriter, Loaded, attest
from guard.canonical import digest
from guard.statement import statement_path
from guard.verification import verify_file


@pytest.fixture
def out(tiny: Loaded, tmp_path: Path) -> Path:
    path = tmp_path / "out.jsonl"
    with JsonlWriter(path, tiny.provenance, params={"seed": 3}) as writer:
        for n in range(6):
            writer.write(f"item{n}", {"text": f"answer {n}", "score": n / 2})
    return path


def found(path: Path) -> list[tuple[str, int | None]]:
    return [(problem.kind, problem.line) for problem in verify_file(path).problems]


def edit(path: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def edit_statement(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    where = statement_path(path)
    content = json.loads(where.read_text())
    change(content)
    where.write_text(json.dumps(content))


def test_an_untouched_file_is_sound(out: Path) -> None:
    verdict = verify_file(out)
    assert verdict.ok
    assert (verdict.records, verdict.runs, len(verdict.models)) == (6, 1, 1)


def test_an_edited_record_is_named(out: Path) -> None:
    edit(out, lambda lines: lines[2].update(text="better"))
    assert found(out) == [("edited-file", None), ("edited-record", 3)]
    problem = verify_file(out).problems[1]
    assert (problem.key, problem.code) == ("item2", "CG501")


def test_one_more_digit_in_a_score_is_seen(out: Path) -> None:
    edit(out, lambda lines: lines[2].update(score=1.0000000000000002))
    assert ("edited-record", 3) in found(out)


def test_a_record_with_a_new_digest_breaks_the_chain(out: Path) -> None:
    def change(lines: list[dict[str, Any]]) -> None:
        line = lines[2]
        line["text"] = "better"
        del line["provenance"]["sha256"]
        line["provenance"]["sha256"] = digest(line)

    edit(out, change)
    assert found(out) == [("edited-file", None), ("missing-record", 4)]


def test_a_whole_new_chain_does_not_match_the_statement(out: Path) -> None:
    def change(lines: list[dict[str, Any]]) -> None:
        before = None
        for line in lines:
            line["text"] = "better"
            del line["provenance"]["sha256"]
            line["provenance"]["prev"] = before
            before = line["provenance"]["sha256"] = digest(line)

    edit(out, change)
    assert [kind for kind, _ in found(out)] == ["edited-file"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda lines: lines.pop(2), ("missing-record", 3)),
        (lambda lines: lines.pop(0), ("missing-record", 1)),
        (lambda lines: lines.reverse(), ("missing-record", 1)),
        (lambda lines: lines.insert(2, lines[1]), ("doubled-key", 3)),
        (lambda lines: lines[1].pop("provenance"), ("no-provenance", 2)),
        (lambda lines: lines[1].update(provenance={"run": "x"}), ("no-provenance", 2)),
        (lambda lines: lines[1]["provenance"].update(run="other"), ("unknown-load", 2)),
        (lambda lines: lines[1]["provenance"].update(loads={}), ("unknown-load", 2)),
        (
            lambda lines: lines[1]["provenance"]["loads"]["model"].update(load="x"),
            ("unknown-load", 2),
        ),
    ],
)
def test_what_was_done_to_the_lines_is_told(out: Path, change: Any, expected: Any) -> None:
    edit(out, change)
    assert expected in found(out)


def test_the_end_that_was_cut_off_is_missed(out: Path) -> None:
    edit(out, lambda lines: lines.pop())
    [problem] = verify_file(out).problems
    assert problem.kind == "edited-file"
    assert "shorter" in problem.reason


def test_lines_added_by_hand_are_not_covered(out: Path) -> None:
    with out.open("a") as file:
        file.write('{"key": "mine", "text": "x"}\n')
    assert found(out) == [("unsealed", None), ("no-provenance", 7)]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b'{"key": "a", "key": "b"}', "twice"),
        (b'{"x": NaN}', "NaN"),
        (b"\xff", "utf-8"),
        (b"[]", "no object"),
        (b"{", "JSON"),
        (b"[" * 100_000, "JSON"),
    ],
)
def test_lines_that_are_not_plain_json_are_told(out: Path, line: bytes, word: str) -> None:
    lines = out.read_bytes().splitlines()
    out.write_bytes(b"\n".join([*lines[:2], line, *lines[3:]]) + b"\n")
    [problem] = [p for p in verify_file(out).problems if p.kind == "unreadable-record"]
    assert problem.line == 3
    assert word in problem.reason


def test_no_statement(out: Path) -> None:
    statement_path(out).unlink()
    assert found(out) == [("no-statement", None)]


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[1]", b'{"_type": "x"}', b"\0", b"[" * 100_000, b'{"subject": [1, 2]}'],
)
def test_a_broken_statement_is_told(out: Path, content: bytes) -> None:
    statement_path(out).write_bytes(content)
    assert found(out) == [("broken-statement", None)]


def test_statement_of_another_type_is_refused(out: Path) -> None:
    edit_statement(out, lambda s: s.update(predicateType="https://slsa.dev/provenance/v1"))
    assert found(out) == [("broken-statement", None)]


def test_an_edited_provenance_is_told(out: Path) -> None:
    def change(statement: dict[str, Any]) -> None:
        [load] = statement["predicate"]["loads"].values()
        load["model"]["weights"]["digest"] = "0" * 64

    edit_statement(out, change)
    assert found(out) == [("edited-statement", None)]


def test_another_file_under_the_same_name_is_told(out: Path, tiny: Loaded, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "out.jsonl"
    with JsonlWriter(other, tiny.provenance) as writer:
        writer.write("item0", {})
    other.replace(out)
    kinds = {kind for kind, _ in found(out)}
    assert {"edited-file", "unknown-load"} <= kinds


def test_loads_that_were_not_clean_are_told(tiny: Loaded, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    unclean = replace(tiny.provenance, overrides=("allow_chat_model", "trust_remote_code"))
    with JsonlWriter(path, unclean) as writer:
        writer.write("a", {})
    problems = verify_file(path).problems
    assert [(p.kind, p.code) for p in problems] == [
        ("overridden-check", "CG108"),
        ("overridden-check", "CG106"),
    ]


def test_reports_are_checked_too(tiny: Loaded, tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    report.write_text("accuracy .8\n")
    attest(report, {"model": tiny.provenance}, params={"suite": "x"})
    verdict = verify_file(report)
    assert (verdict.ok, verdict.records) == (True, None)
    report.write_text("accuracy .9\n")
    assert found(report) == [("edited-file", None)]


def test_a_missing_file_is_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        verify_file(tmp_path / "nothing.jsonl")


def test_needs_no_torch(out: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = sys.modules['jinja2'] = None\n"
        "from pathlib import Path\n"
        "from guard.verification import verify_file\n"
        "assert verify_file(Path(sys.argv[1])).ok\n"
    )
    subprocess.run([sys.executable, "-c", code, str(out)], check=True)
