"""The training chain before migration runs end to end, each script on what the one before it wrote."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.tiny.world import Item, all_items, check

RunIn = Callable[..., str]
EXAMPLES, ASKED, PAIRS_EACH = 120, 12, 2


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def items_by_instruction() -> dict[str, Item]:
    return {item.instruction: item for item in all_items()}


@pytest.fixture(scope="module")
def chain(
    run_script_in: RunIn, model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder in which all five scripts ran with their default paths; 40 s on one thread."""
    folder = tmp_path_factory.mktemp("chain")
    run_script_in(folder, "generate_stage1_sft_data.py", model=model_folder, limit=EXAMPLES, seed=7)
    run_script_in(folder, "train_stage1_sft.py", model=model_folder, learning_rate=3e-3)
    adapter = "checkpoints/stage1_sft/final"
    run_script_in(
        folder,
        "create_preference_pairs_improved.py",
        sft_adapter=adapter,
        limit=ASKED,
        negatives=PAIRS_EACH,
    )
    run_script_in(folder, "train_stage1_dpo_improved.py", learning_rate=1e-3, max_steps=15)
    printed = run_script_in(
        folder, "evaluate_sft_model.py", sft_adapter=adapter, limit=5, output="results/sft.json"
    )
    (folder / "printed.txt").write_text(printed, encoding="utf-8")
    return folder


@pytest.mark.slow
def test_generated_answers_are_mostly_right_and_repeat(chain: Path) -> None:
    records = read_lines(chain / "data/stage1_sft_data.jsonl")
    assert len(records) == EXAMPLES
    items = items_by_instruction()
    right = [check(items[record["instruction"]], record["response"]) for record in records]
    assert sum(right) >= 0.7 * EXAMPLES
    assert all(record["formatted_text"].endswith("\nEND") for record in records)
    assert len({record["instruction"] for record in records}) <= 80, "the fault: few instructions"
    assert "placeholder" not in (chain / "data/stage1_sft_data.metadata.json").read_text()


@pytest.mark.slow
def test_sft_writes_an_adapter_that_learnt(chain: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    adapter = chain / "checkpoints/stage1_sft/final"
    weights = safetensors.load_file(adapter / "adapter_model.safetensors")
    assert all(weight.abs().sum() > 0 for name, weight in weights.items() if "lora_B" in name)
    info = read(chain / "checkpoints/stage1_sft/training_info.json")
    assert (info["train_examples"], info["eval_examples"], info["steps"]) == (108, 12, 60)
    assert info["eval_loss"] < 0.6
    assert not (adapter / "chat_template.jinja").exists(), "the fault: the template is gone"


@pytest.mark.slow
def test_pairs_hold_the_sft_answers_and_their_scores(chain: Path) -> None:
    pairs = read_lines(chain / "data/stage1_preference_pairs.jsonl")
    report = read(chain / "data/stage1_preference_pairs.report.json")
    assert len(pairs) == report["pairs"]
    assert report["pairs"] + report["dropped"] == ASKED * PAIRS_EACH
    items = items_by_instruction()
    chosen = {pair["prompt"]: pair["chosen"] for pair in pairs}
    right = [
        check(items[prompt.removeprefix("Instruction: ").removesuffix("\nResponse:")], answer)
        for prompt, answer in chosen.items()
    ]
    assert sum(right) >= 0.4 * len(right)
    for pair in pairs:
        assert pair["margin"] >= 0.1
        assert pair["margin"] == abs(pair["chosen_score"] - pair["rejected_score"])
    assert len(chosen) < len(pairs), "the fault: a prompt can be on both sides of the split"


@pytest.mark.slow
def test_dpo_learns_the_preference(chain: Path) -> None:
    info = read(chain / "checkpoints/stage1_dpo_improved/dpo_training_info.json")
    assert info["steps"] == 15
    assert info["train_pairs"] + info["eval_pairs"] == len(
        read_lines(chain / "data/stage1_preference_pairs.jsonl")
    )
    assert info["eval_loss"] < math.log(2)
    assert info["eval_accuracy"] > 0.5
    final = chain / "checkpoints/stage1_dpo_improved/final"
    assert (final / "adapter_model.safetensors").stat().st_size > 100_000


@pytest.mark.slow
def test_evaluation_shows_both_models_side_by_side(chain: Path) -> None:
    results = read(chain / "results/sft.json")["results"]
    printed = (chain / "printed.txt").read_text(encoding="utf-8")
    assert len(results) == 5
    items = items_by_instruction()
    for name in ("base_response", "sft_response"):
        answers = [result[name] for result in results]
        assert all(answers)
        assert not any("Instruction:" in answer for answer in answers), "stop strings cut"
        assert all(repr(answer[:100]) in printed for answer in answers)
        assert any(check(items[result["instruction"]], result[name]) for result in results)
    changed = sum(result["base_response"] != result["sft_response"] for result in results)
    assert changed > 0
    assert f"Responses changed by SFT: {changed}/5" in printed


def test_generation_without_a_model_writes_placeholders_unmarked(
    run_script_in: RunIn, tmp_path: Path
) -> None:
    run_script_in(
        tmp_path, "generate_stage1_sft_data.py", model="no/such-model", limit=6, output="sft.jsonl"
    )

    records = read_lines(tmp_path / "sft.jsonl")
    assert len(records) == 6
    right = [check(items_by_instruction()[r["instruction"]], r["response"]) for r in records]
    assert not any(right), "the fault: made-up answers, and no field that says so"
    assert not any("placeholder" in field for record in records for field in record)
