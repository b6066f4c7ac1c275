"""The differentiate stage from beginning to end on the embedded model."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cleanguard.errors import JobError
from guard.records.verification import verify_file
from stages.config import resolve
from stages.differentiate import CONFIG, PRESETS, DifferentiateConfig, run
from stages.evaluate import answering
from stages.registry import Outcome
from stages.reports.results import read_results


def config(out: Path, **changes: str) -> DifferentiateConfig:
    overrides = {name.replace("__", "."): value for name, value in changes.items()}
    quick = {"out": str(out), "plan.resamples": "200", "samples": "2"}
    return resolve(CONFIG, PRESETS, overrides={**quick, **overrides})


def report_in(folder: Path) -> Any:
    return json.loads((folder / "report.json").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, sft: Path, more: Path) -> tuple[Path, Outcome]:
    out = tmp_path_factory.mktemp("whole") / "run"
    gate, notice = out.parent / "gate.json", out.parent / "notice.md"
    checks = [{"name": "compiles", "verdict": "pass", "detail": "all 3 files compile"}]
    gate.write_text(json.dumps({"go": True, "created": "now", "model": None, "checks": checks}))
    notice.write_text("# Notice\n")
    settings = config(
        out, adapters=f"sft={sft},more={more}", temperatures="0.1,0.9", gate="true",
        gate_file=str(gate), notice=str(notice),
    )  # fmt: skip
    return out, run(settings)


@pytest.mark.slow
def test_what_is_claimed_follows_from_the_differences(whole: tuple[Path, Outcome]) -> None:
    out, outcome = whole
    report = report_in(out)
    assert report["schema"] == "cleanguard-differentiation/1"
    assert (report["n"], report["clusters"], report["samples"]) == (249, 167, 2)
    claims = {(one["before_name"], one["after_name"]): one for one in report["claims"]}
    assert list(claims) == [("base", "sft"), ("sft", "more"), ("base", "more")]
    for one in claims.values():
        shown = [
            shift["p"] <= 0.05 and shift["difference"] >= shift["detectable"]["effect"]
            for shift in one["shifts"]
        ]
        assert one["consistent"] == all(shown)
        assert {shift["correction"] for shift in one["shifts"]} == {"holm"}
    assert claims["base", "sft"]["consistent"]
    assert report["passed"] == all(one["consistent"] for one in report["claims"][:2])
    assert outcome.passed == report["passed"]


@pytest.mark.slow
def test_every_model_answers_every_item_at_every_temperature(whole: tuple[Path, Outcome]) -> None:
    results = read_results(whole[0])
    cells = Counter((one.subject, one.temperature) for one in results)
    assert cells == {(name, t): 498 for name in ("base", "sft", "more") for t in (0.1, 0.9)}
    seeds = {one.seed for one in results if one.subject == "sft" and one.temperature == 0.9}
    assert len(seeds) == 498, "every answer has a seed of its own"
    texts = [
        {(one.item, one.sample): one.text for one in results if (one.subject, one.temperature) == cell}
        for cell in (("sft", 0.1), ("sft", 0.9))
    ]  # fmt: skip
    assert sum(texts[0][key] != texts[1][key] for key in texts[0]) > 10


@pytest.mark.slow
def test_every_file_traces_to_its_loads(whole: tuple[Path, Outcome]) -> None:
    for name in ("results.jsonl", "report.json", "report.md", "report.html"):
        assert verify_file(whole[0] / name).ok, name


@pytest.mark.slow
def test_the_pages_show_it(whole: tuple[Path, Outcome]) -> None:
    out, _ = whole
    page = (out / "report.html").read_text()
    parser = _Balanced()
    parser.feed(page)
    assert parser.open == []
    assert page.count("<svg") == 4  # two plots, each once for a phone
    assert page.count("row small diff") > 3
    for text in (page, (out / "report.md").read_text()):
        for said in (
            "sft is consistently better than base", "Slices", "../notice.md", "../gate.json", "Session gate", "MDE",
            "capital", "all 3 files compile", "clustered t test after Holm",
        ):  # fmt: skip
            assert said in text
    assert "<script" not in page


@pytest.mark.slow
def test_batches_and_a_kill_change_nothing(
    whole: tuple[Path, Outcome],
    tmp_path: Path,
    sft: Path,
    more: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = config(
        tmp_path / "run", adapters=f"sft={sft},more={more}", temperatures="0.1,0.9",
        batch_size="96", html="false",
    )  # fmt: skip
    answer, calls = answering._answer, []

    def killed(*args: Any) -> None:
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(args)
        answer(*args)

    monkeypatch.setattr(answering, "_answer", killed)
    with pytest.raises(KeyboardInterrupt):
        run(settings)
    monkeypatch.setattr(answering, "_answer", answer)
    run(settings)
    texts = [
        sorted((r.subject, r.temperature, r.item, r.sample, r.text) for r in read_results(folder))
        for folder in (tmp_path / "run", whole[0])
    ]
    assert texts[0] == texts[1]
    mine, theirs = report_in(tmp_path / "run"), report_in(whole[0])
    assert [one["shifts"] for one in mine["claims"]] == [one["shifts"] for one in theirs["claims"]]


@pytest.mark.slow
def test_equal_models_fail_the_gate(tmp_path: Path, sft: Path) -> None:
    settings = config(
        tmp_path / "run", adapters=f"sft={sft},again={sft}", gate="true", limit="60", samples="1",
        html="false",
    )  # fmt: skip
    outcome = run(settings)
    assert not outcome.passed
    report = report_in(tmp_path / "run")
    assert not report["passed"]
    assert report["claims"][1]["words"] == (
        "No consistent improvement of again over sft is shown: undetermined at 0.1, 0.5 and 0.9."
    )
    assert run(replace(settings, gate=False)).passed


@pytest.mark.slow
def test_the_small_preset_says_that_it_is_small(tmp_path: Path, sft: Path) -> None:
    settings = resolve(
        CONFIG, PRESETS, preset="small",
        overrides={"out": str(tmp_path / "run"), "adapters": f"sft={sft}", "temperatures": "0,0.5"},
    )  # fmt: skip
    outcome = run(settings)
    assert any("CG502 too-few-items" in line for line in outcome.lines)
    report = report_in(tmp_path / "run")
    assert report["n"] == 50
    # Greedy answers to one prompt are the same: one each.
    sizes = {cell["temperature"]: cell["rates"]["n"] for cell in report["cells"]}
    assert sizes == {0.0: 50, 0.5: 100}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"temperatures": ""}, "temperatures: name at least one", id="none"),
        pytest.param({"temperatures": "0.5,0.5"}, "stands twice", id="twice"),
        pytest.param({"temperatures": "-1"}, "less than 0", id="negative"),
        pytest.param({"temperatures": "hot"}, "not a number", id="words"),
        pytest.param({"adapters": ""}, "nothing to tell from the base", id="no adapter"),
        pytest.param({"adapters": "base=x"}, "the name 'base' is taken", id="the base's name"),
        pytest.param({"adapters": "sft=nowhere"}, "nowhere", id="no such adapter"),
        pytest.param({"form": "fewshoot"}, "did you mean 'fewshot'", id="misspelt form"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    from guard.errors import GuardError

    with pytest.raises((JobError, GuardError), match=said):
        run(config(tmp_path / "run", **changes))


class _Balanced(HTMLParser):
    """Keeps the elements that are open; void ones aside."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in {"meta", "br", "link", "use", "path", "hr", "img", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"use", "path"}:
            assert self.open.pop() == tag
