"""The chain: stages in order, finished ones left alone; the recipe's figures (slow)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("scipy", reason="evaluation comes with the stats extra")

from guard.records.verification import verify_file
from stages import sft
from stages.chain import PRESETS, ChainConfig
from stages.chain.steps import run_all
from stages.config import resolve

SHORT = {
    "sft.train.steps": "20", "sft.train.save_steps": "0", "preferences.k": "4",
    "dpo.train.steps": "2", "dpo.train.save_steps": "0", "evaluate.limit": "20",
    "evaluate.plan.resamples": "100", "evaluate.html": "false",
}  # fmt: skip


def config(out: Path, **changes: str) -> ChainConfig:
    overrides = {"out": str(out), **changes}
    return resolve(ChainConfig, PRESETS, preset="tiny", overrides=overrides)


@pytest.mark.slow
def test_every_stage_runs_and_a_second_run_repeats_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "c"
    first = run_all(config(out, **SHORT))
    for path in ("generate/dataset.jsonl", "preferences/pairs.jsonl", "evaluate/results.jsonl"):
        assert verify_file(out / path).problems == ()
    lineage = json.loads((out / "dpo" / "adapter" / "lineage.json").read_text())
    assert lineage["parents"][0]["path"] == str((out / "sft" / "adapter").resolve())
    assert [line.split()[1] for line in first.lines if line.startswith("──")] == [
        "generate", "sft", "preferences", "dpo", "evaluate",
    ]  # fmt: skip
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.safetensors")}

    def refuse(*args: Any) -> None:
        raise AssertionError("a finished stage trains again")

    for stage in ("sft", "dpo"):
        monkeypatch.setattr(f"stages.{stage}.steps._train", refuse)
    again = run_all(config(out, **SHORT))
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert [line for line in again.lines if " s" not in line] == [
        line for line in first.lines if " s" not in line
    ]


def test_the_chain_decides_what_belongs_to_all() -> None:
    settings = resolve(ChainConfig, PRESETS, preset="qwen2.5-32b")
    assert settings.model.quant == sft.PRESETS["qwen2.5-32b"]["model.quant"]
    assert settings.dpo.train.gradient_checkpointing


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_recipe_gives_its_figures(seed: int, tmp_path: Path) -> None:
    """Base never follows and stops; fine-tuning teaches it; preferences add to it significantly."""
    outcome = run_all(config(tmp_path / "c", seed=str(seed)))
    text = "\n".join(outcome.lines)
    rates = {}
    for line in outcome.lines:
        name, _, rest = line.strip().partition(": strict ")
        if rest:
            rates[name] = float(rest.partition("%")[0])
    assert rates["base (formatted)"] == 0
    assert 45 <= rates["sft (formatted)"] <= 70
    assert rates["dpo (formatted)"] >= rates["sft (formatted)"] + 8
    assert "sft is better than base" in text
    assert "dpo is better than sft" in text
