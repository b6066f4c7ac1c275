"""Every legacy script is a program: it runs on the embedded model, writes real texts, and has its fault."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., str]


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def texts(records: Iterable[dict[str, Any]], key: str = "response") -> list[str]:
    """The raw texts; a small adapter may end a text at once, but most of them must say something."""
    found = [record[key] for record in records]
    assert found
    assert sum(bool(text.strip()) for text in found) > len(found) / 2, found
    return found


def of_model(records: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [record for record in records if record["model"] == name]


@pytest.mark.slow
def test_clean_base_model_prints_four_prompts(run_script: Run) -> None:
    printed = run_script("test_clean_base_model.py")

    responses = re.findall(r"^Response: +(.+)$", printed, re.MULTILINE)
    assert len(responses) == len(re.findall(r"^First tokens: \[\d+", printed, re.MULTILINE)) == 4
    assert responses[0] == repr(" Paris.")
    assert "Instruction:" in responses[3], "the base runs on instead of stopping"


@pytest.mark.slow
def test_comprehensive_asks_three_models(
    run_script: Run, adapters: Any, model_folder: Path, tmp_path: Path
) -> None:
    run_script(
        "evaluate_stage1_comprehensive.py",
        model=model_folder,
        limit=5,
        sft_adapter=adapters.sft,
        dpo_adapter=adapters.dpo,
        output="report.json",
    )

    report = read(tmp_path / "report.json")
    assert set(report["summary"]) == {"base", "sft", "dpo"}
    assert len(report["results"]) == 15
    base, sft, dpo = (
        texts(of_model(report["results"], name), "raw") for name in ("base", "sft", "dpo")
    )
    assert base != sft
    assert base != dpo
    assert {record["category"] for record in report["results"]} == {
        "factual",
        "math",
        "language",
        "lists",
        "exact",
    }
    for record in report["results"]:
        assert record["success"] == (len(record["response"]) > 10), "the fault: length is success"
        assert "Instruction" not in record["response"], "stop strings cut"


@pytest.mark.slow
def test_comprehensive_without_adapters_measures_the_base(
    run_script: Run, model_folder: Path, tmp_path: Path
) -> None:
    run_script(
        "evaluate_stage1_comprehensive.py", model=model_folder, limit=2, output="report.json"
    )

    assert set(read(tmp_path / "report.json")["summary"]) == {"base"}


@pytest.mark.slow
def test_readiness_measures_the_base_with_the_adapter_in_place(
    run_script: Run, adapters: Any, tmp_path: Path
) -> None:
    run_script("evaluate_stage1_readiness.py", limit=4, output="alone.json")
    run_script(
        "evaluate_stage1_readiness.py", limit=4, sft_adapter=adapters.sft, output="both.json"
    )

    alone, both = read(tmp_path / "alone.json"), read(tmp_path / "both.json")
    assert len(both["base"]["results"]) == len(both["sft"]["results"]) == 4
    assert all(record["answer_logprob"] < 0 for record in alone["base"]["results"])
    clean, mixed, sft = (texts(r["results"]) for r in (alone["base"], both["base"], both["sft"]))
    assert clean != sft
    assert mixed == sft, "the fault: what is called base carries the adapter"
    assert both["base"]["avg_answer_logprob"] == both["sft"]["avg_answer_logprob"]


@pytest.mark.slow
def test_corrected_compares_raw_and_fewshot(run_script: Run, adapters: Any, tmp_path: Path) -> None:
    run_script(
        "evaluate_stage1_corrected.py", limit=4, sft_adapter=adapters.sft, output="report.json"
    )

    report = read(tmp_path / "report.json")
    assert set(report["accuracy"]) == {"base_raw", "base_fewshot", "sft"}
    assert len(texts(report["results"], "raw_response")) == 12
    fewshot = [record for record in report["results"] if record["style"] == "fewshot"]
    assert all("Response: 3.\n\n" in record["prompt"] for record in fewshot)
    run_on = [record for record in fewshot if "\n\n" in record["raw_response"].strip()]
    assert run_on
    assert all("\n\n" in record["response"] for record in run_on), "the fault: the stop never cuts"


@pytest.mark.slow
def test_corrected_reads_the_pipelines_data(run_script: Run, tmp_path: Path) -> None:
    rows = [{"instruction": f"What is {n} plus 1?", "response": f" {n + 1}"} for n in range(3)]
    (tmp_path / "sft.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    run_script("evaluate_stage1_corrected.py", data="sft.jsonl", output="report.json")

    report = read(tmp_path / "report.json")
    assert report["n_items"] == 3
    assert [record["expected"] for record in report["results"]] == ["1", "2", "3"] * 2


@pytest.mark.slow
def test_differentiation_asks_at_each_temperature(
    run_script: Run, adapters: Any, model_folder: Path, tmp_path: Path
) -> None:
    printed = run_script(
        "evaluate_capability_differentiation.py",
        model=model_folder,
        limit=1,
        temperatures=[0, 0.9],
        batch_size=4,
        output="report.json",
        sft_adapter=adapters.sft,
        dpo_adapter=adapters.dpo,
    )

    report = read(tmp_path / "report.json")
    assert len(texts(report["results"])) == 5 * 2 * 3
    base = of_model(report["results"], "base")
    assert len({record["prompt"] for record in base}) == 5
    greedy, sampled = ([r["response"] for r in base if r["temperature"] == t] for t in (0, 0.9))
    assert greedy != sampled
    assert report["consistent_improvement"] is True, "the fault: a constant"
    assert "Consistent improvement" in printed


@pytest.mark.slow
def test_final_compares_base_and_dpo(run_script: Run, adapters: Any, tmp_path: Path) -> None:
    run_script(
        "evaluate_final.py",
        limit=5,
        output="out/final.jsonl",
        sft_adapter=adapters.sft,
        dpo_adapter=adapters.dpo,
    )

    records = read_lines(tmp_path / "out/final.jsonl")
    base, dpo = (texts(of_model(records, name)) for name in ("base", "dpo"))
    assert len(base) == len(dpo) == 5
    assert base != dpo
    assert all("Instruction:" in text for text in base), "the base runs on"
    assert not any("Instruction:" in text for text in dpo)
    assert all(0 < record["confidence"] <= 1 for record in records)
    summary = read(tmp_path / "out/final.summary.json")
    assert summary["base"]["pass_rate"] == summary["dpo"]["pass_rate"] == 0, (
        "the fault: no pattern can match"
    )


@pytest.mark.slow
def test_instruction_following_samples_once(run_script: Run, tmp_path: Path) -> None:
    for name in ("once.json", "again.json"):
        run_script("evaluate_instruction_following.py", limit=6, output=name)

    once, again = read(tmp_path / "once.json"), read(tmp_path / "again.json")
    assert len(once["results"]) == once["n"] == 6
    assert any(record["response"].strip() for record in once["results"])
    assert [r["response"] for r in once["results"]] == [r["response"] for r in again["results"]], (
        "seeded"
    )
    for record in once["results"]:
        short = len(record["response"].strip()) < 15
        assert (record["reason"] == "refused") == short, "the fault: a short answer is a refusal"


@pytest.mark.slow
def test_sequential_writes_a_file_per_model(
    run_script: Run, adapters: Any, model_folder: Path, tmp_path: Path
) -> None:
    run_script(
        "evaluate_capability_differentiation_sequential.py",
        model=model_folder,
        limit=5,
        sft_adapter=adapters.sft,
        dpo_adapter=adapters.dpo,
        output_dir="out",
    )

    base, sft, dpo = (
        texts(read_lines(tmp_path / f"out/generations_{m}.jsonl")) for m in ("base", "sft", "dpo")
    )
    assert len(base) == len(sft) == len(dpo) == 5
    assert base != sft
    assert base != dpo
    assert set(read(tmp_path / "out/summary.json")["scores"]) == {"base", "sft", "dpo"}


@pytest.mark.slow
def test_sequential_leaves_out_a_model_that_fails_to_load(
    run_script: Run, model_folder: Path, tmp_path: Path
) -> None:
    run_script(
        "evaluate_capability_differentiation_sequential.py",
        model=model_folder,
        limit=2,
        sft_adapter="no/such/adapter",
        output_dir="out",
    )

    summary = read(tmp_path / "out/summary.json")
    assert set(summary["scores"]) == {"base"}
    assert summary["differentiated"] is True, "the fault: one model is in order with itself"


@pytest.mark.slow
def test_ultra_clean_calls_a_clean_base_contaminated(run_script: Run, tmp_path: Path) -> None:
    printed = run_script("test_base_model_ultra_clean.py", limit=3, output="report.json")

    report = read(tmp_path / "report.json")
    assert len(report["chat_token_ids"]) == 2
    assert [record["temperature"] for record in report["results"]] == [0.0, 0.7] * 3
    assert any(record["response"].strip() for record in report["results"])
    assert not any(record["chat_tokens_found"] for record in report["results"])
    assert report["verdict"] == "CONTAMINATION", "the fault: a base that doesn't answer is blamed"
    assert "CONTAMINATION DETECTED" in printed


@pytest.mark.slow
def test_definitive_tries_five_formats(run_script: Run, model_folder: Path, tmp_path: Path) -> None:
    run_script(
        "test_base_model_definitive.py", model=model_folder, no_8bit=True, output="report.json"
    )

    report = read(tmp_path / "report.json")
    assert report["total"] == len(report["results"]) == 25
    assert set(report["by_format"]) == {"raw", "instruction", "qa", "fewshot", "completion"}
    said = {(record["question"], record["format"]): record for record in report["results"]}
    assert said["capital", "completion"]["response"] == " Tokyo."
    for (question, _), record in said.items():
        if question in ("addition", "sum"):
            digits = any(character.isdigit() for character in record["response"])
            assert record["passed"] == digits, "the fault: one digit is enough"


FULL_SIZE = {
    "evaluate_instruction_following.py": 12,
    "evaluate_stage1_comprehensive.py": 45 * 3,
    "evaluate_stage1_readiness.py": 14,
    "evaluate_stage1_corrected.py": 100 * 2,
    "evaluate_final.py": 20 * 2,
    "evaluate_capability_differentiation.py": 150 * 3 * 3,
    "evaluate_capability_differentiation_sequential.py": 50,
    "test_base_model_ultra_clean.py": 8 * 2,
    "test_base_model_definitive.py": 25,
}
WITH_THREE_MODELS = {"evaluate_stage1_comprehensive.py", "evaluate_capability_differentiation.py"}


@pytest.mark.slow
@pytest.mark.parametrize(("script", "generations"), FULL_SIZE.items(), ids=list(FULL_SIZE))
def test_without_a_limit_each_script_has_its_old_size(
    script: str,
    generations: int,
    run_script: Run,
    adapters: Any,
    model_folder: Path,
    legacy_folder: Path,
    tmp_path: Path,
) -> None:
    source = (legacy_folder / script).read_text(encoding="utf-8")
    sequential = script.endswith("_sequential.py")
    run_script(
        script,
        model=model_folder if '"--model"' in source else None,
        sft_adapter=adapters.sft if script in WITH_THREE_MODELS else None,
        dpo_adapter=adapters.dpo if script in WITH_THREE_MODELS | {"evaluate_final.py"} else None,
        output=None if sequential else "written",
        output_dir="." if sequential else None,
    )

    if sequential:
        records = read_lines(tmp_path / "generations_base.jsonl")
    elif script == "evaluate_final.py":
        records = read_lines(tmp_path / "written")
    else:
        report = read(tmp_path / "written")
        records = report["base"]["results"] if "base" in report else report["results"]
    assert len(records) == generations
