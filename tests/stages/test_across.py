"""`cleanguard compare`: any number of runs in one table and one page."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cleanguard.cli import main
from guard.records.writer import JsonlWriter
from stages.across.concluded import Settled, settle_endpoint, settle_measure
from stages.across.html import as_html
from stages.across.report import as_markdown, compare_runs, table_of
from stages.across.systems import read_runs
from stages.comparing.plan import Plan
from stages.reports.results import Result, record_of

QUICK = Plan(resamples=200)


def results(
    subject: str, right: int, *, form: str = "raw", n: int = 40, suite: str = "s"
) -> list[Result]:
    return [
        Result(
            suite=suite, subject=subject, form=form, item=f"item {at}", cluster=str(at // 2), slice="ab"[at % 2],
            sample=0, prompt=f"{form} {at}", text=f"<b>{at}</b>", finish="eos", tokens=3, prompt_tokens=4,
            seed=None, control_tokens=0, batch=1, strict=at < right, content=at < right, stopped=True,
            truncated=False, gold=(f"gold {at}",), scorer="exact",
        )
        for at in range(n)
    ]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, tiny: Any) -> Any:
    def make(name: str, *parts: list[Result]) -> Path:
        (tmp_path / name).mkdir()
        with JsonlWriter(tmp_path / name / "results.jsonl", tiny.provenance) as out:
            for at, one in enumerate(one for part in parts for one in part):
                out.write(str(at), record_of(one))
        return tmp_path / name

    return make


def test_the_sentence_names_the_verdict_where_there_are_two(folder: Any) -> None:
    loose = [[replace(one, content=True) for one in results("base", right)] for right in (10, 30)]
    runs = [str(folder(name, part)) for name, part in zip("ab", loose, strict=True)]
    read = read_runs(runs, "per_byte")
    assert " (strict). " in compare_runs(read, "strict", QUICK, 0).words
    assert " (content). " in compare_runs(read, "content", QUICK, 0).words
    same = read_runs([str(folder(n, results("base", 10))) for n in "cd"], "per_byte")
    assert compare_runs(same, "strict", QUICK, 0).words == (
        "All answer the same share rightly, 25.0%. No difference is shown."
    )


def test_every_pair_of_runs_is_compared_once(folder: Any) -> None:
    runs = [
        str(folder(name, results("base", right)))
        for name, right in (("a", 10), ("b", 12), ("c", 38))
    ]
    report = compare_runs(read_runs(runs, "per_byte"), "strict", QUICK, 2)
    assert [one.subject for one in report.rates] == ["a", "b", "c"]
    assert [(one.before_name, one.after_name) for one in report.pairs] == [
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    ]
    assert all(one.correction == "holm" for one in report.pairs)
    assert [one.call for one in report.pairs] == ["undetermined", "better", "better"]
    assert "c has the most right answers, 95.0%" in report.words
    assert "Of 3 pairs, 2 differ" in report.words
    assert not report.warnings
    gained = next(part for part in report.moved if part.title == "Gained: a → c")
    assert (gained.count, len(gained.items)) == (28, 2)
    assert gained.items[0].gold == ("gold 10",)
    header, rows = table_of(report)
    assert {len(row) for row in rows} == {len(header)}
    text = as_markdown(report)
    assert "## Pairs" in text
    assert "gold 10" in text


def test_what_only_one_run_has_meets_what_only_the_other_has(folder: Any) -> None:
    one = folder("one", results("base", 10), results("sft", 20))
    two = folder("two", results("base", 10), results("dpo", 30))
    pairs = [(a.name, b.name) for a, b in read_runs([str(one), str(two)], "per_byte").pairs]
    assert pairs == [("one: base", "two: base"), ("one: sft", "two: dpo")]
    three = folder("three", results("mine", 5, form="qa"))
    found = read_runs([str(one), f"other={three}"], "per_byte")
    assert len(found.pairs) == 2
    assert any("in other texts" in warning for warning in found.warnings)


def test_choices_are_compared_by_one_measure(folder: Any) -> None:
    def chosen(total: bool, per_byte: bool) -> list[Result]:
        right = {"total": total, "per_byte": per_byte}
        return [
            replace(one, right=right, choices=({"text": "a", "logprob": -1.0},), strict=total, content=per_byte)
            for one in results("base", 0)
        ]  # fmt: skip

    runs = [str(folder("a", chosen(True, False))), str(folder("b", chosen(True, True)))]
    by_byte = compare_runs(read_runs(runs, "per_byte"), "strict", QUICK, 0)
    assert [one.strict.rate for one in by_byte.rates] == [0, 1]
    by_total = compare_runs(read_runs(runs, "total"), "strict", QUICK, 0, "total")
    assert [one.strict.rate for one in by_total.rates] == [1, 1]
    assert table_of(by_total)[0][2:4] == ("by total", "per byte")
    with pytest.raises(Exception, match="was not scored per token"):
        compare_runs(read_runs(runs, "per_token"), "strict", QUICK, 0, "per_token")


def test_texts_are_compared_in_bits(folder: Any) -> None:
    def read(logprob: float) -> list[Result]:
        return [
            replace(one, likelihood={"logprob": logprob - at % 3, "tokens": 5, "bytes": 20, "words": 4, "windows": 1})
            for at, one in enumerate(results("base", 0))
        ]  # fmt: skip

    runs = [str(folder("a", read(-20.0))), str(folder("b", read(-18.0)))]
    report = compare_runs(read_runs(runs, "per_byte"), "strict", QUICK, 6)
    [shift] = report.shifts
    assert shift.call == "better"
    assert shift.difference == pytest.approx(-2 / 20 / 0.6931471805599453)
    assert "bits per byte" in as_html(report)
    mixed = folder("mixed", results("base", 3))
    with pytest.raises(Exception, match="of different kinds"):
        read_runs([runs[0], str(mixed)], "per_byte")


class _Balanced(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_takes_no_markup(folder: Any) -> None:
    runs = [str(folder(name, results("base", right))) for name, right in (("a", 1), ("b", 30))]
    text = as_html(compare_runs(read_runs(runs, "per_byte"), "strict", QUICK, 6))
    parser = _Balanced()
    parser.feed(text)
    assert parser.open == []
    assert "&lt;b&gt;" in text
    assert "<b>1</b>" not in text
    assert "prefers-color-scheme: dark" in text
    assert text.count("✓") == text.count("✗") > 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["{a}"], "name two runs or more"),
        (["{a}", "{a}"], "named twice"),
        (["x={a}", "x={b}"], "two runs are called 'x'"),
        (["{a}", "{a}/nowhere"], "cannot be read"),
        (["{a}", "{other}"], "no item in common|have an item in common"),
    ],
)
def test_runs_that_cannot_be_compared_are_told(
    folder: Any, given: list[str], said: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:  # fmt: skip
    import re

    other = [replace(one, item=f"o{one.item}") for one in results("base", 3)]
    names = {
        "a": folder("a", results("base", 3)),
        "b": folder("b", results("base", 4)),
        "other": folder("o", other),
    }
    runs = [one.format(**names) for one in given]
    monkeypatch.setattr(
        "sys.argv", ["cleanguard", "compare", *runs, "--output", str(tmp_path / "x.html")]
    )
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert re.search(said, capsys.readouterr().err)
    assert not (tmp_path / "x.html").exists()


def test_the_command_writes_what_the_name_asks_for(
    folder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [str(folder(name, results("base", right))) for name, right in (("a", 1), ("b", 30))]
    edited = tmp_path / "b" / "results.jsonl"
    edited.write_text(edited.read_text().replace('"strict": false', '"strict": true', 1))
    for name in ("deep/x.json", "x.md", "x.html"):
        monkeypatch.setattr(
            "sys.argv", ["cleanguard", "compare", *runs, "--output", str(tmp_path / name)]
        )
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 0
        told = capsys.readouterr()
        assert "b has the most right answers" in told.out
        assert "note: b: " in told.err
    assert (
        json.loads((tmp_path / "deep" / "x.json").read_text())["schema"]
        == "cleanguard-comparison/1"
    )
    assert (tmp_path / "x.md").read_text().startswith("# Comparison: s")


@pytest.mark.parametrize(
    ("said", "asked", "rate", "note"),
    [
        (("content", "content"), (), "95.0%", "content counts, as in the runs' own reports"),
        (("content", None), (), "95.0%", "content counts, as in the runs' own reports"),
        (("content", "strict"), (), "75.0%", "rest on different verdicts (content, strict); strict"),
        (("strict", "strict"), (), "75.0%", None),
        ((None, "other"), (), "75.0%", None),
        (("content", "content"), ("--endpoint", "strict"), "75.0%", None),
    ],
)  # fmt: skip
def test_what_counts_is_what_the_runs_own_reports_rest_on(
    folder: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    said: tuple[str | None, ...],
    asked: tuple[str, ...],
    rate: str,
    note: str | None,
) -> None:
    runs = []
    for name, word, right in zip("ab", said, (2, 30), strict=True):
        made = [
            replace(one, content=at < right + 8) for at, one in enumerate(results("base", right))
        ]
        runs.append(str(folder(name, made)))
        if word is not None:
            (tmp_path / name / "report.json").write_text(json.dumps({"endpoint": word}))
    output = str(tmp_path / "x.md")
    monkeypatch.setattr("sys.argv", ["cleanguard", "compare", *runs, "--output", output, *asked])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    told = capsys.readouterr()
    assert f"b has the most right answers, {rate}" in told.out
    assert [line for line in told.err.splitlines() if "counts" in line or "rest on" in line] == (
        [] if note is None else [line for line in told.err.splitlines() if note in line]
    )
    assert note is None or note in (tmp_path / "x.md").read_text()


def test_the_measure_is_that_of_the_runs(tmp_path: Path) -> None:
    files = [tmp_path / name / "results.jsonl" for name in "abc"]
    for file, measure in zip(files, ("total", "total", "per_token"), strict=True):
        file.parent.mkdir()
        text = json.dumps({"settings": {"choices": {"measure": measure}}, "endpoint": ["strict"]})
        (file.parent / "report.json").write_text(text)
    assert settle_measure(files[:2], None).choice == "total"
    assert settle_measure(files, None).choice == "per_byte"
    assert settle_measure(files, "per_token").choice == "per_token"
    assert settle_endpoint(files, None) == Settled("strict", None)
    (tmp_path / "a" / "report.json").write_text("[" * 100_000)
    (tmp_path / "b" / "report.json").write_text("[]")
    assert settle_measure(files[:2], None) == Settled("per_byte", None)
