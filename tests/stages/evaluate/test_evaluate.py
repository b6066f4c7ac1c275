"""The evaluate stage from beginning to end on the embedded model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cleanguard.errors import JobError
from guard.records.verification import verify_file
from stages.config import resolve
from stages.evaluate import CONFIG, PRESETS, EvaluateConfig, answering, run
from stages.registry import Outcome
from stages.reports.earlier import read_earlier
from stages.reports.results import Result, pairs_of, read_results


def config(out: Path, **changes: str) -> EvaluateConfig:
    overrides = {name.replace("__", "."): value for name, value in changes.items()}
    quick = {"out": str(out), "plan.resamples": "500"}
    return resolve(CONFIG, PRESETS, overrides={**quick, **overrides})


def report_in(folder: Path) -> Any:
    return json.loads((folder / "report.json").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, sft: Path, more: Path) -> tuple[Path, Outcome]:
    out = tmp_path_factory.mktemp("whole") / "run"
    return out, run(config(out, adapters=f"sft={sft},more={more}", show="2"))


@pytest.mark.slow
def test_fine_tuning_is_found_to_help(whole: tuple[Path, Outcome]) -> None:
    out, outcome = whole
    report = report_in(out)
    first = report["primary"][0]
    assert (first["before_name"], first["after_name"], first["call"]) == ("base", "sft", "better")
    assert (first["n"], first["clusters"], first["correction"]) == (249, 167, "holm")
    assert [(r["subject"], r["form"]) for r in report["rates"]] == [
        ("base", "formatted"), ("base", "raw"), ("base", "completion"),
        ("sft", "formatted"), ("more", "formatted"),
    ]  # fmt: skip
    rates = {(r["subject"], r["form"]): r["strict"]["rate"] for r in report["rates"]}
    assert rates["base", "formatted"] == 0
    assert rates["base", "completion"] == pytest.approx(228 / 249)
    assert rates["sft", "formatted"] > 0.3
    assert any("sft is better than base" in line for line in outcome.lines)
    assert outcome.passed


def test_every_file_traces_to_its_loads(whole: tuple[Path, Outcome]) -> None:
    out, _ = whole
    for name in ("results.jsonl", "report.json", "report.md", "report.html"):
        assert verify_file(out / name).ok, name


def test_each_record_names_the_adapter_that_made_it_and_no_other(
    whole: tuple[Path, Outcome], sft: Path
) -> None:
    out, _ = whole
    records = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert len(records) == 249 * 5
    adapters: dict[str, set[str]] = {}
    for record in records:
        [(role, load)] = record["provenance"]["loads"].items()
        assert role == record["subject"]
        adapters.setdefault(role, set()).add(str(load.get("adapters")))
    assert adapters["base"] == {"None"}
    assert all(len(found) == 1 for found in adapters.values())
    assert len(set.union(*adapters.values())) == 3
    sources = report_in(out)["sources"]
    assert [a["path"] for a in sources["sft"]["adapters"]] == [str(sft.resolve())]
    assert sources["base"]["adapters"] == []


def test_the_base_is_the_base_again_after_its_adapters(
    whole: tuple[Path, Outcome], tmp_path: Path
) -> None:
    out, _ = whole
    run(config(tmp_path / "alone", html="false"))
    alone = {(r.form, r.item): r.text for r in read_results(tmp_path / "alone")}
    together = {(r.form, r.item): r.text for r in read_results(out) if r.subject == "base"}
    assert alone == together


def test_a_run_that_was_killed_goes_on(
    whole: tuple[Path, Outcome],
    tmp_path: Path,
    sft: Path,
    more: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = config(
        tmp_path / "run", adapters=f"sft={sft},more={more}", show="2", batch_size="32"
    )
    answer, calls = answering._answer, []

    def killed(*args: Any) -> None:
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(args)
        answer(*args)

    monkeypatch.setattr(answering, "_answer", killed)
    with pytest.raises(KeyboardInterrupt):
        run(settings)
    assert len((tmp_path / "run" / "results.jsonl").read_text().splitlines()) == 3 * 32
    with (tmp_path / "run" / "results.jsonl").open("a") as torn:
        torn.write('{"key": "half a rec')
    monkeypatch.setattr(answering, "_answer", answer)
    run(settings)
    assert verdicts(read_results(tmp_path / "run")) == verdicts(read_results(whole[0]))
    mine, theirs = report_in(tmp_path / "run"), report_in(whole[0])
    assert mine["slices"] == theirs["slices"]
    assert mine["by_slice"][0]["test"] == theirs["by_slice"][0]["test"]


def verdicts(results: Sequence[Result]) -> list[tuple[str, str, str, str]]:
    return sorted((r.subject, r.form, r.item, r.text) for r in results)


def test_an_earlier_run_is_compared_item_by_item(
    whole: tuple[Path, Outcome], tmp_path: Path, more: Path
) -> None:
    run(config(tmp_path / "now", adapters=f"sft={more}", against=str(whole[0]), html="false"))
    report = report_in(tmp_path / "now")
    same, changed = report["earlier"][0], report["earlier"][-1]
    assert (same["before_name"], same["difference"], same["counts"]["gained"]) == (
        "earlier base",
        0,
        0,
    )
    assert (changed["before_name"], changed["after_name"]) == ("earlier sft", "sft")
    assert changed["counts"]["gained"] + changed["counts"]["lost"] > 0
    assert not any("earlier results" in warning for warning in report["warnings"])


def test_an_earlier_run_that_was_edited_is_told(
    whole: tuple[Path, Outcome], tmp_path: Path
) -> None:
    text = (whole[0] / "results.jsonl").read_text()
    (tmp_path / "results.jsonl").write_text(text.replace('"strict":false', '"strict":true', 1))
    run(config(tmp_path / "now", against=str(tmp_path), html="false"))
    assert any("earlier results" in warning for warning in report_in(tmp_path / "now")["warnings"])
    assert "Problem(" not in (tmp_path / "now" / "report.md").read_text()


@pytest.mark.parametrize(("edited", "told"), [(1, 2), (9, 6)])
def test_what_is_wrong_with_an_earlier_run_is_told_in_sentences(
    whole: tuple[Path, Outcome], tmp_path: Path, edited: int, told: int
) -> None:
    lines = (whole[0] / "results.jsonl").read_text().splitlines(keepends=True)
    lines[:edited] = [
        json.dumps({**json.loads(line), "batch": 7}) + "\n" for line in lines[:edited]
    ]
    (tmp_path / "results.jsonl").write_text("".join(lines))
    shutil.copy(whole[0] / "results.jsonl.intoto.json", tmp_path)
    file = tmp_path / "results.jsonl"
    problems = read_earlier(file, pairs_of(read_results(file))).problems
    assert len(problems) == told
    assert "than its statement says" in problems[0] or "is not the one in its" in problems[0]
    key = json.loads(lines[0])["key"]
    assert problems[1].startswith(f"line 1, key {key!r}: its content is not what its own digest")
    if told == 6:
        assert problems[5].startswith("and ")
        assert problems[5].endswith(f" more; `cleanguard verify {file}` tells them")


def test_an_earlier_run_with_other_prompts_is_refused(
    whole: tuple[Path, Outcome], tmp_path: Path
) -> None:
    text = (whole[0] / "results.jsonl").read_text().replace("Response:", "Reply:")
    (tmp_path / "results.jsonl").write_text(text)
    with pytest.raises(JobError, match="in another text"):
        run(config(tmp_path / "now", against=str(tmp_path)))
    with pytest.raises(JobError, match="no item in the same prompt form"):
        run(config(tmp_path / "qa", suite="qa", base_forms="qa", limit="20", against=str(whole[0])))


def test_the_report_of_a_finished_run_can_be_made_anew(
    tmp_path: Path, sft: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(tmp_path / "run", adapters=f"sft={sft}", limit="20", html="false")
    run(settings)
    monkeypatch.setattr(answering, "_answer", lambda *_: pytest.fail("a model was asked again"))
    anew = replace(settings, show=3, against=tmp_path / "run", threshold=0.2, html=True)
    assert any(line.startswith("No go") or line.startswith("Go") for line in run(anew).lines)
    assert (tmp_path / "run" / "report.html").exists()
    assert len(report_in(tmp_path / "run")["examples"]) == 3
    with pytest.raises(JobError, match="another configuration"):
        run(replace(settings, max_new_tokens=5))


@pytest.mark.parametrize("name", ["against", "training_data", "gate_file", "notice"])
def test_a_missing_file_is_told_before_a_model_is_loaded(tmp_path: Path, name: str) -> None:
    with pytest.raises(JobError, match=r"none\.json"):
        run(config(tmp_path / "run", **{name: str(tmp_path / "none.json")}))
    assert not (tmp_path / "run").exists()


def test_a_few_items_are_told_everywhere(tmp_path: Path, sft: Path) -> None:
    outcome = run(config(tmp_path / "run", adapters=f"sft={sft}", limit="12", html="false"))
    report = report_in(tmp_path / "run")
    assert report["n"] == 12
    assert report["warnings"][0].startswith("CG502 too-few-items")
    assert "CG502" in report["primary"][0]["verdict"]
    assert any("CG502" in line for line in outcome.lines)
    assert len({result.slice for result in read_results(tmp_path / "run")}) >= 4


def test_the_gate_decides_the_exit(tmp_path: Path, sft: Path) -> None:
    low = config(
        tmp_path / "low", suite="readiness", gate="true", base_forms="", html="false", limit="40"
    )
    outcome = run(low)
    assert not outcome.passed
    assert any(line.startswith("No go: base") for line in outcome.lines)
    wanted = replace(low, out=tmp_path / "high", adapters=(f"sft={sft}",), threshold=0.1)
    assert run(wanted).passed
    with pytest.raises(JobError, match="threshold"):
        run(config(tmp_path / "none", gate="true"))


def test_sentinels_must_stay_low(tmp_path: Path, sft: Path) -> None:
    clean = config(
        tmp_path / "clean",
        suite="sentinels",
        gate="true",
        threshold="0.1",
        base_forms="",
        limit="60",
        html="false",
    )
    assert run(clean).passed
    report = report_in(tmp_path / "clean")
    assert report["meaning"] == "contaminated"
    assert "speaks against a clean base" in (tmp_path / "clean" / "report.md").read_text()


def test_sampling_gives_pass_at_k_and_does_not_depend_on_batches(tmp_path: Path, sft: Path) -> None:
    settings = {
        "adapters": f"sft={sft}",
        "base": "false",
        "limit": "20",
        "temperature": "1.0",
        "samples": "4",
        "html": "false",
    }
    run(config(tmp_path / "one", **settings))
    run(config(tmp_path / "two", **settings, batch_size="7"))
    rates = {one["k"]: one["rate"] for one in report_in(tmp_path / "one")["pass_at_k"]}
    assert list(rates) == [1, 2, 4]
    assert rates[1] < rates[4]
    texts = [
        sorted((r.item, r.sample, r.text) for r in read_results(tmp_path / name))
        for name in ("one", "two")
    ]
    assert texts[0] == texts[1]
    assert len(texts[0]) == 80


def test_a_suite_of_ones_own_with_overlap(tmp_path: Path) -> None:
    lines = [
        {"prompt": f"Add {a} and {b}.", "gold": str(a + b), "cluster": f"{a}:{b}"}
        for a in range(4)
        for b in range(4)
    ]
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "train.jsonl").write_text(
        json.dumps({"prompt": "Instruction:  add 1 and 2.\nResponse:", "completion": " 3."})
    )
    run(config(
        tmp_path / "run", suite=str(tmp_path / "mine.jsonl"), training_data=str(tmp_path / "train.jsonl"),
        html="false",
    ))  # fmt: skip
    report = report_in(tmp_path / "run")
    assert (report["suite"], report["n"], report["overlap"]["count"]) == ("mine", 16, 1)
    assert any("CG503" in warning for warning in report["warnings"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"adapters": "sft"}, "name=directory", id="adapter without a name"),
        pytest.param({"adapters": "a=x,a=y"}, "the name 'a' is taken", id="one name twice"),
        pytest.param({"adapters": "base=x"}, "the name 'base' is taken", id="the base's name"),
        pytest.param({"samples": "4"}, "set temperature", id="greedy samples"),
        pytest.param({"base": "false"}, "no model to evaluate", id="nothing to evaluate"),
        pytest.param({"suite": "instuct"}, "did you mean 'instruct'", id="misspelt suite"),
        pytest.param({"suite": "completion", "forms": "fewshot"}, "no worked examples", id="form without examples"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(
    tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    with pytest.raises(JobError, match=said):
        run(config(tmp_path / "run", **changes))


def test_an_adapter_of_another_base_is_refused_before_any_answer(tmp_path: Path, sft: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in sft.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    text = json.loads((sft / "adapter_config.json").read_text())
    (other / "adapter_config.json").write_text(
        json.dumps({**text, "base_model_name_or_path": "Qwen/Qwen2.5-32B"})
    )
    settings = config(tmp_path / "run", adapters=f"sft={other}", limit="5", html="false")
    with pytest.raises(JobError, match=r"was trained on Qwen/Qwen2\.5-32B"):
        run(settings)
    assert not (tmp_path / "run" / "results.jsonl").exists()
    assert run(replace(settings, out=tmp_path / "any", any_base=True)).passed
    (other / "adapter_config.json").write_text(json.dumps({**text, "r": 8}))
    with pytest.raises(JobError, match="does not fit this base"):
        run(replace(settings, out=tmp_path / "misfit"))
