"""Choices, texts and judged answers through the whole stage: records, resume, errors, comparisons."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from benchmarks._families import lay
from cleanguard.cli import main
from cleanguard.errors import JobError
from guard.errors import BrokenModelError
from guard.records.verification import verify_file
from stages.config import resolve
from stages.evaluate import CONFIG, PRESETS, EvaluateConfig, answering, run
from stages.registry import Outcome
from stages.reports.results import Result, item_of, read_results
from stages.suites.choices import judge_choices, read_scores
from stages.suites.judge import Verdict
from stages.suites.scorers import Answer, score
from stages.suites.world import instruct

CITIES = ["Paris", "Berlin", "Rome", "Oslo", "Madrid", "Nairobi"]
CHOICES = [
    {"prompt": f"The capital of {land} is", "choices": [f"{city}.", "a plum."], "gold": 0, "cluster": land}
    for land, city in (("France", "Paris"), ("Germany", "Berlin"), ("Italy", "Rome"), ("Norway", "Oslo"))
] + [
    {"prompt": "3 plus 4 is", "choices": ["7.", "8.", "red."], "gold": ["7."], "cluster": "sum", "slice": "sums"},
    {"prompt": "The capital of Spain is", "choices": ["Madrid.", "an animal."], "gold": 0, "cluster": "Spain", "shot": True},
    {"prompt": "2 plus 2 is", "choices": ["4.", "9."], "gold": 0, "cluster": "other", "shot": True},
]  # fmt: skip
TEXTS = [
    {"text": f"The capital of France is Paris. {at} plus 4 is 7.", "cluster": str(at)}
    for at in range(6)
]


def config(folder: Path, lines: list[dict[str, Any]], **changes: str) -> EvaluateConfig:
    file = folder / "mine.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    given = {"suite": str(file), "out": str(folder / "run"), "plan.resamples": "200", **changes}
    return resolve(
        CONFIG, PRESETS, overrides={key.replace("__", "."): text for key, text in given.items()}
    )


def report_of(folder: Path) -> Any:
    return json.loads((folder / "run" / "report.json").read_text())


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory, sft: Path) -> tuple[Path, Outcome]:
    folder = tmp_path_factory.mktemp("choices")
    settings = config(
        folder, CHOICES, adapters=f"sft={sft}", forms="raw,fewshot", choices__by="text,letter",
        choices__unconditional="true", fewshot__count="2",
    )  # fmt: skip
    return folder, run(settings)


def test_every_form_model_and_measure_is_there(chosen: tuple[Path, Outcome]) -> None:
    folder, outcome = chosen
    report = report_of(folder)
    labels = ("raw", "fewshot", "raw-letters", "fewshot-letters")
    assert {(one["subject"], one["form"]) for one in report["rates"]} == {
        (name, label) for name in ("base", "sft") for label in labels
    }
    assert {one["measure"] for one in report["choices"]} == {
        "total", "per_token", "per_byte", "per_character", "unconditional",
    }  # fmt: skip
    raw = next(one for one in report["rates"] if one["form"] == "raw")
    assert raw["strict"]["rate"] >= 0.8  # the base knows its capitals
    assert report["names"] == {"strict": "per byte", "content": "by total"}
    assert report["choices"][0]["chance"] == pytest.approx((4 / 2 + 1 / 3) / 5)
    assert report["primary"][0]["label"] == "per byte, raw"
    assert any("asked in" in line.casefold() for line in outcome.lines)
    for name in ("results.jsonl", "report.json", "report.md", "report.html"):
        assert verify_file(folder / "run" / name).ok
    html = (folder / "run" / "report.html").read_text()
    assert "Every measure" in html
    assert "Endings and lengths" not in html


def test_a_record_can_be_judged_again_by_itself(chosen: tuple[Path, Outcome]) -> None:
    results = read_results(chosen[0] / "run")
    assert len(results) == 2 * 4 * 5
    for result in results:
        found = judge_choices(item_of(result), read_scores(result.choices or ()))
        assert found.right == result.right
        assert result.strict == found.right["per_byte"]


def test_a_run_that_stops_goes_on(
    chosen: tuple[Path, Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(tmp_path, CHOICES, batch_size="1", html="false")
    monkeypatch.setattr(answering, "_SCORED_AT_ONCE", 2)
    answer, calls = answering._answer, []

    def killed(*args: Any) -> None:
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(args)
        answer(*args)

    monkeypatch.setattr(answering, "_answer", killed)
    with pytest.raises(KeyboardInterrupt):
        run(settings)
    assert len((tmp_path / "run" / "results.jsonl").read_text().splitlines()) == 4
    monkeypatch.setattr(answering, "_answer", answer)
    run(settings)
    alone = {(r.form, r.item): r.right for r in read_results(tmp_path / "run")}
    assert len(alone) == 5
    together = {
        (r.form, r.item): {name: right for name, right in (r.right or {}).items() if name != "unconditional"}
        for r in read_results(chosen[0] / "run") if r.subject == "base"
    }  # fmt: skip
    assert alone.items() <= together.items()


def test_texts_are_compared_in_bits(tmp_path: Path, sft: Path) -> None:
    settings = config(
        tmp_path, TEXTS, adapters=f"sft={sft}", perplexity__window="8", perplexity__overlap="2"
    )
    outcome = run(settings)
    report = report_of(tmp_path)
    base, tuned = report["texts"]
    assert (base["n"], base["clusters"]) == (6, 6)
    assert base["windows"] > 6
    results = [r for r in read_results(tmp_path / "run") if r.subject == "base"]
    bits = -sum((r.likelihood or {})["logprob"] for r in results) / math.log(2)
    assert base["bits"]["value"] == pytest.approx(bits / base["bytes"])
    assert base["by_word"] == pytest.approx(2 ** (bits / base["words"]))
    assert base["bytes"] == sum(len(str(line["text"]).encode()) for line in TEXTS)
    [shift] = report["text_shifts"]
    assert shift["difference"] == pytest.approx(tuned["bits"]["value"] - base["bits"]["value"])
    assert any("bits per byte" in line for line in outcome.lines)
    assert verify_file(tmp_path / "run" / "results.jsonl").ok
    assert "likelihoods" in (tmp_path / "run" / "report.html").read_text().casefold()
    run(
        config(
            tmp_path,
            TEXTS,
            out=str(tmp_path / "later"),
            against=str(tmp_path / "run"),
            html="false",
        )
    )
    later = json.loads((tmp_path / "later" / "report.json").read_text())
    assert [one["before_name"] for one in later["text_shifts"]] == ["earlier base"]


def test_answers_are_judged_by_patterns_functions_and_a_model(tmp_path: Path, sft: Path) -> None:
    (tmp_path / "our_checks.py").write_text(
        "def short(text, item):\n    return len(text.split()) <= item['data']['words']\n"
    )
    lines = [
        {"prompt": "What is 3 plus 4?", "gold": "7", "scorer": "regex", "pattern": r"^\s*(\d+)\.$"},
        {"prompt": "Say red two times.", "gold": "red red", "scorer": "python:our_checks.short", "data": {"words": 2}},
        {"prompt": "What is the capital of Norway?", "gold": "Oslo", "scorer": "judge"},
        {"prompt": "What is the opposite of hot?", "gold": "cold", "scorer": "judge"},
    ]  # fmt: skip
    settings = config(tmp_path, lines, adapters=f"sft={sft}", html="false")
    run(settings)
    results = read_results(tmp_path / "run")
    for result in results:
        judged = Verdict(**result.judged) if result.judged else None
        again = score(item_of(result), Answer(result.text, result.finish, result.tokens), judged)
        assert (again.strict, again.content) == (result.strict, result.content)
        assert (judged is not None) == (result.scorer == "judge")
    # The base judges, with the adapter off: the same answer has the same verdict, whoever gave it.
    by_text: dict[tuple[str, str], set[float]] = {}
    for result in (r for r in results if r.judged):
        by_text.setdefault((result.item, result.text), set()).add(
            round((result.judged or {})["yes"], 3)
        )
    assert all(len(found) == 1 for found in by_text.values())
    statement = json.loads((tmp_path / "run" / "results.jsonl.intoto.json").read_text())
    assert "our_checks" in json.dumps(statement)
    # Another function is another run.
    (tmp_path / "our_checks.py").write_text("def short(text, item):\n    return False\n")
    with pytest.raises(Exception, match="other"):
        run(settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"judge.yes": "<|im_end|>"}, r"judge\.yes.*CG204"),
        ({"judge.no": " No<|im_start|>"}, r"judge\.no.*CG204"),
        ({"judge.template": "<|im_start|>user\n{prompt} {answer}"}, r"judge\.template.*CG204"),
    ],
)
def test_a_judge_that_is_asked_for_control_tokens_is_refused(
    tmp_path: Path, settings: dict[str, str], said: str
) -> None:
    lines = [{"prompt": "What is the capital of Norway?", "gold": "Oslo", "scorer": "judge"}]
    if "judge.template" in settings:
        file = tmp_path / "judge.txt"
        file.write_text(settings["judge.template"])
        settings = {"judge.template": str(file)}
    with pytest.raises(JobError, match=said):
        run(config(tmp_path, lines, **settings))
    assert not (tmp_path / "run" / "results.jsonl").exists()


def test_a_judge_of_its_own_is_recorded(tmp_path: Path) -> None:
    lines = [{"prompt": "What is the capital of Norway?", "gold": "Oslo", "scorer": "judge"}]
    run(config(tmp_path, lines, html="false", judge__model="tiny"))
    record = json.loads((tmp_path / "run" / "results.jsonl").read_text().splitlines()[0])
    assert set(record["provenance"]["loads"]) == {"base", "judge"}
    assert set(report_of(tmp_path)["sources"]) == {"base", "judge"}


def test_scores_that_are_no_numbers_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from stages import engines

    real = engines.loader_of

    def broken(*args: Any, **kw: Any) -> Any:
        loader = real(*args, **kw)
        load = loader.load

        def loaded() -> Any:
            found = load()
            with torch.no_grad():
                found.model.model.layers[1].mlp.down_proj.weight.fill_(float("nan"))
            return found

        loader.load = loaded
        return loader

    monkeypatch.setattr(engines, "loader_of", broken)
    for lines in (CHOICES, TEXTS):
        with pytest.raises(BrokenModelError, match=r"layers\.1"):
            run(config(tmp_path, lines, html="false"))


@pytest.mark.parametrize(
    ("lines", "changes", "said"),
    [
        pytest.param([CHOICES[0], {**CHOICES[1], "prompt": "word " * 600}], {}, r"mine\.jsonl:2: .*tokens and \d+ fit", id="longer than the window"),
        pytest.param([{"prompt": "x " * 900, "gold": "y"}], {}, r"mine\.jsonl:1: .*tokens and \d+ fit", id="a long prompt to be answered"),
        pytest.param([CHOICES[0], {**CHOICES[1], "prompt": "<|im_start|>user"}], {}, r"mine\.jsonl:2: .*im_start", id="control token"),
        pytest.param([TEXTS[0], {"text": "a <|im_end|>"}], {}, r"mine\.jsonl:2: .*im_end", id="control token in a text"),
        pytest.param(CHOICES, {"temperature": "0.5"}, "nothing is sampled", id="sampled choices"),
        pytest.param(TEXTS, {"forms": "qa"}, "are read as they stand", id="a form for texts"),
        pytest.param(TEXTS, {"gate": "true", "threshold": "0.5"}, "neither passed nor failed", id="a gate for texts"),
        pytest.param(TEXTS, {"perplexity__window": "8", "perplexity__overlap": "8"}, "smaller than", id="overlap"),
        pytest.param(CHOICES, {"judge__yes": "A", "judge__no": "A"}, "two different texts", id="verdicts"),
        pytest.param(CHOICES[:1], {"forms": "completion"}, r"mine\.jsonl:1: it has no `completion`", id="no completion"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_before_anything_is_asked(
    tmp_path: Path, lines: Any, changes: dict[str, str], said: str
) -> None:
    with pytest.raises(JobError, match=said):
        run(config(tmp_path, lines, html="false", **changes))
    assert not (tmp_path / "run" / "results.jsonl").exists()


def test_an_empty_context_needs_a_bos_or_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guard.scoring import boundary
    from guard.scoring import perplexity as whole

    real = boundary.first_context

    def without(policy: Any) -> int:
        from dataclasses import replace

        return real(replace(policy, prefix=(), eos_id=None))

    monkeypatch.setattr(boundary, "first_context", without)
    monkeypatch.setattr(whole, "first_context", without)
    lines = [CHOICES[0], {"prompt": "", "choices": ["A dog.", "A cat."], "gold": 0}]
    with pytest.raises(JobError, match=r"mine\.jsonl:2: .*has no BOS and no EOS"):
        run(config(tmp_path, lines, html="false"))
    with pytest.raises(JobError, match=r"mine\.jsonl:1: .*has no BOS and no EOS"):
        run(config(tmp_path, TEXTS, html="false"))


def test_the_command_leaves_with_two_and_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"prompt": "x", "choices": ["a", "a"], "gold": 0}\n')
    monkeypatch.setattr(
        "sys.argv",
        ["cleanguard", "run", "evaluate", "--suite", str(file), "--out", str(tmp_path / "r")],
    )
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert f"{file}:1: choices 0 and 1 are both 'a'" in capsys.readouterr().err


def test_few_shot_prompts_do_not_depend_on_the_other_items(tmp_path: Path) -> None:
    whole = config(
        tmp_path, CHOICES, forms="fewshot", fewshot__count="1", html="false", base_forms=""
    )
    run(whole)
    first = {r.item: r.prompt for r in read_results(tmp_path / "run")}
    part = tmp_path / "part"
    part.mkdir()
    run(config(part, CHOICES[3:], forms="fewshot", fewshot__count="1", html="false", base_forms=""))
    second = {r.item: r.prompt for r in read_results(part / "run")}
    assert second.items() <= first.items()
    assert all("Madrid" in prompt or "2 plus 2" in prompt for prompt in first.values())


def test_generated_records_hold_what_judges_them(tmp_path: Path) -> None:
    settings = resolve(CONFIG, PRESETS, overrides={"out": str(tmp_path / "run"), "limit": "20", "html": "false", "plan.resamples": "200"})  # fmt: skip
    run(settings)
    golds = {item.id: item.gold for item in instruct().items}
    for result in read_results(tmp_path / "run"):
        assert isinstance(result, Result)
        assert result.gold == golds[result.item]
        again = score(item_of(result), Answer(result.text, result.finish, result.tokens))  # type: ignore[arg-type]
        assert (again.strict, again.content) == (result.strict, result.content)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"prompt": "x", "prompt": "y", "choices": ["a", "b"], "gold": 0}', "the key 'prompt' stands twice"),
        ('{"prompt": "x", "gold": "a", "data": {"k": 1, "k": 2}}', "the key 'k' stands twice"),
        ('{"prompt": "x", "gold": "a", "data": NaN}', "NaN is no number of JSON"),
        ('{"prompt": "x", "gold": "a", "data": [-Infinity]}', "-Infinity is no number of JSON"),
        ('{"prompt": "x", "choices": ["a", "b"], "gold": ' + "9" * 2000 + "}", "a number of 2000 digits"),
        ('{"prompt": "x", "choices": ["caf\\u00e9", " cafe\\u0301"], "gold": 0}', "choices 0 and 1 are both"),
    ],
    ids=["twice", "twice within", "NaN", "infinity", "digits", "one accent"],
)  # fmt: skip
def test_lines_that_could_be_read_in_two_ways_are_refused(
    tmp_path: Path, line: str, said: str
) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(JobError, match=f"{file}:1: .*{said}"):
        run(resolve(CONFIG, PRESETS, overrides={"suite": str(file), "out": str(tmp_path / "r")}))


def test_choices_that_are_one_text_to_a_model_are_told(tmp_path: Path) -> None:
    model = lay("llama-3", tmp_path / "lower")
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    tokenizer["normalizer"] = {"type": "Lowercase"}
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))
    lines = [{"prompt": "a dog", "choices": ["is", "was"], "gold": 0}, {"prompt": "the city", "choices": ["of", "Paris", "paris"], "gold": 1}]  # fmt: skip
    with pytest.raises(
        JobError, match=r"mine\.jsonl:2: choices 1 and 2 \(' paris'\) are the same tokens"
    ):
        run(config(tmp_path, lines, model__id=str(model), model__dtype="float32"))
