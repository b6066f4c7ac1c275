from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guard import JsonlWriter, Loaded, attest, unguarded
from guard.base.canonical import digest
from guard.records.statement import load_digest, statement_path
from guard.records.verification import verify_file


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


@pytest.fixture
def report(tiny: Loaded, tmp_path: Path) -> Path:
    path = tmp_path / "report.md"
    path.write_text("accuracy .8\n")
    attest(path, {"model": tiny.provenance}, params={"temperature": 0.7, "by": {1: [2], 10: 3}})
    return path


def test_a_report_that_was_made_after_the_guard_was_lifted_is_told(
    fresh: Loaded, tmp_path: Path
) -> None:
    path = tmp_path / "report.md"
    path.write_text("accuracy .8\n")
    attest(path, fresh.model)
    assert verify_file(path).problems == ()
    with unguarded(fresh.model, reason="to see"):
        pass
    attest(path, fresh.model)
    [problem] = verify_file(path).problems
    assert problem.kind == "lifted-guard"
    assert "to see" in problem.reason


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda said: said["loads"].clear(), ["unknown-load"]),
        (lambda said: said["runs"].clear(), ["unknown-load"]),
        (lambda said: said["runs"][0]["loads"].clear(), ["unknown-load"]),
        (lambda said: said["runs"][0]["loads"].update(judge="0" * 64), ["unknown-load"]),
        (lambda said: said["runs"][0]["params"].update(temperature=0), ["edited-statement"]),
        (lambda said: said.update(schema="cleanguard-file/9"), ["broken-statement"]),
        (lambda said: said.pop("schema"), ["broken-statement"]),
        (lambda said: said["runs"][0].pop("params_sha256"), []),
    ],
)
def test_what_was_done_to_a_reports_statement_is_told(
    report: Path, change: Callable[[dict[str, Any]], object], expected: list[str]
) -> None:
    assert verify_file(report).problems == ()
    edit_statement(report, lambda statement: change(statement["predicate"]))
    assert [kind for kind, _ in found(report)] == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda said: said.update(records=7), ["edited-statement"]),
        (lambda said: said.update(last="0" * 64), ["edited-statement"]),
        (lambda said: said.update(schema="cleanguard-file/1"), ["broken-statement"]),
        (lambda said: said["runs"][0]["params"].update(seed=4), ["edited-statement"]),
        (lambda said: said["runs"][0].pop("params_sha256"), []),
    ],
)
def test_what_was_done_to_the_statement_of_records_is_told(
    out: Path, change: Callable[[dict[str, Any]], object], expected: list[str]
) -> None:
    edit_statement(out, lambda statement: change(statement["predicate"]))
    assert [kind for kind, _ in found(out)] == expected


@pytest.mark.parametrize("name", ["started", "ended", "records", "repaired_bytes", "events"])
def test_a_run_of_records_that_says_less_is_told(out: Path, name: str) -> None:
    edit_statement(out, lambda statement: statement["predicate"]["runs"][0].pop(name))
    (problem,) = verify_file(out).problems
    assert (problem.kind, f"runs[0].{name}" in problem.reason) == ("broken-statement", True)


@pytest.mark.parametrize("part", ["loads", "events"])
def test_roles_that_a_run_lacks_are_told(out: Path, part: str) -> None:
    edit_statement(out, lambda statement: statement["predicate"]["runs"][0][part].clear())
    (problem,) = verify_file(out).problems
    assert "events of other roles than its loads" in problem.reason


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_a_pipe_in_the_place_of_a_statement_is_not_waited_for(out: Path) -> None:
    statement_path(out).unlink()
    os.mkfifo(statement_path(out))
    (problem,) = verify_file(out).problems
    assert problem.kind == "broken-statement"
    assert "a pipe or a device" in problem.reason


def test_another_file_with_the_statement_of_a_first_one_is_told(out: Path) -> None:
    other = out.with_name("other.jsonl")
    statement_path(out).rename(statement_path(other))
    out.rename(other)
    [problem] = verify_file(other).problems
    assert (problem.kind, "'out.jsonl'" in problem.reason) == ("edited-statement", True)


ODD: list[Any] = [None, -1, 5, True, "x", 1.5, [], [5], [[]], {}, {"x": 5}, {"x": [5]}]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to the values within JSON types, of a list into its first member only."""
    yield at
    names = list(value) if isinstance(value, dict) else []
    names += [0] if isinstance(value, list) and value else []
    for name in names:
        if name not in ("environment", "tokenizer", "generation"):
            yield from places(value[name], (*at, name))


def put(value: Any, at: tuple[Any, ...], new: Any) -> None:
    for name in at[:-1]:
        value = value[name]
    value[at[-1]] = new


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_misshapen_statement_is_told_and_no_crash(out: Path, odd: Any) -> None:
    plain = statement_path(out).read_text()
    load_name = next(iter(json.loads(plain)["predicate"]["loads"]))
    for at in list(places(json.loads(plain)))[1:]:
        content = json.loads(plain)
        put(content, at, odd)
        loads = content["predicate"].get("loads") if isinstance(content["predicate"], dict) else 0
        if at[:3] == ("predicate", "loads", load_name) and isinstance(loads[load_name], dict):
            load = loads.pop(load_name)
            loads[load_digest(load)] = load
        statement_path(out).write_text(json.dumps(content))
        changed = content != json.loads(plain)
        assert not verify_file(out).ok or at[1:2] == ("runs",) or not changed, at


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_misshapen_record_is_told_and_no_crash(out: Path, odd: Any) -> None:
    plain = out.read_text()
    for at in list(places(json.loads(plain.splitlines()[0])))[1:]:
        lines = [json.loads(line) for line in plain.splitlines()]
        put(lines[2], at, odd)
        out.write_text("".join(json.dumps(line) + "\n" for line in lines))
        assert ("edited-file", None) in found(out)
        assert len(found(out)) > 1, at


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 5000])
def test_numbers_that_readers_do_not_agree_on_are_told(out: Path, number: str) -> None:
    out.write_text(out.read_text().replace('"score": 1.0', f'"score": {number}'))
    assert ("unreadable-record", 3) in found(out)
    where = statement_path(out)
    where.write_text(where.read_text().replace('"seed": 3', f'"seed": {number}'))
    assert found(out) == [("broken-statement", None)]


def test_a_statement_that_is_nested_too_deep_is_told(out: Path) -> None:
    for depth in (300, 600, 900):
        where = statement_path(out)
        where.write_text(
            where.read_text().replace('"seed": 3', f'"seed": {"[" * depth}{"]" * depth}')
        )
        assert {kind for kind, _ in found(out)} <= {"broken-statement", "edited-statement"}
        assert found(out)


def test_a_missing_file_is_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        verify_file(tmp_path / "nothing.jsonl")


def test_needs_no_torch(out: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = sys.modules['jinja2'] = None\n"
        "from pathlib import Path\n"
        "from guard.records.verification import verify_file\n"
        "assert verify_file(Path(sys.argv[1])).ok\n"
    )
    subprocess.run([sys.executable, "-c", code, str(out)], check=True)


def _run(content: dict[str, Any]) -> dict[str, Any]:
    run: dict[str, Any] = content["predicate"]["runs"][0]
    return run


@pytest.mark.parametrize(
    ("change", "word"),
    [
        pytest.param(lambda c: _run(c).update(records=5), "wrote 5 records, and 6", id="fewer"),
        pytest.param(lambda c: _run(c).update(records=7), "wrote 7 records, and 6", id="more"),
        pytest.param(
            lambda c: c["predicate"]["runs"].append(_run(c)), "has the name of run 1", id="doubled"
        ),
        pytest.param(
            lambda c: c["predicate"]["runs"].append({**_run(c), "id": "f" * 16}),
            "run 2 wrote 6 records, and 0",
            id="one more run",
        ),
        pytest.param(
            lambda c: _run(c).update(ended="2001-01-01T00:00:00+00:00"),
            "ended before it began",
            id="ended early",
        ),
        pytest.param(
            lambda c: _run(c).update(started="2999-01-01T00:00:00+00:00"),
            "ended before it began",
            id="started late",
        ),
        pytest.param(lambda c: _run(c).update(ended=None), "has no end", id="no end"),
        pytest.param(lambda c: _run(c).update(outcome="open"), "called open", id="open"),
        pytest.param(lambda c: _run(c).update(started="noon"), "started", id="no time"),
        pytest.param(
            lambda c: _run(c).update(started="2026-01-01T00:00:00"), "started", id="no zone"
        ),
        pytest.param(lambda c: _run(c).update(records=-1), "records", id="negative"),
        pytest.param(
            lambda c: _run(c).update(note="x"), "unknown field 'note'", id="field of a run"
        ),
        pytest.param(lambda c: c["predicate"].update(x=1), "unknown field 'x'", id="field"),
        pytest.param(
            lambda c: c.update(x=1), "another type or version", id="field of the statement"
        ),
        pytest.param(lambda c: c["subject"][0].update(uri="x"), "type or version", id="subject"),
    ],
)
def test_what_does_not_fit_together_needs_no_key(out: Path, change: Any, word: str) -> None:
    edit_statement(out, change)
    problems = verify_file(out).problems
    assert [problem for problem in problems if word in problem.reason], problems
