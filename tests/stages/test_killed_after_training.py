"""A trainer killed after its last step, before its adapter was saved, trains no step more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from stages.config import resolve
from stages.dpo import PRESETS as DPO_PRESETS
from stages.dpo import DpoConfig
from stages.dpo.steps import prefer
from stages.sft import PRESETS as SFT_PRESETS
from stages.sft import SftConfig
from stages.sft.steps import fine_tune

# The schedule rises again after its last step, so one step more would change the adapter.
TRAIN = {
    "train.steps": "5",
    "train.save_steps": "5",
    "train.log_steps": "5",
    "train.schedule": "cosine",
}


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["sft", "dpo"])
def test_no_step_is_taken_after_the_last(
    stage: str, data: Path, sft_adapter: Path, pairs: Path, tmp_path: Path
) -> None:
    out = tmp_path / stage

    def run() -> tuple[bytes, dict[str, Any]]:
        given = TRAIN | {"out": str(out)}
        if stage == "sft":
            fine_tune(resolve(SftConfig, SFT_PRESETS, preset="tiny", overrides=given | {"data": str(data)}))  # fmt: skip
        else:
            given |= {"data": str(pairs), "sft": str(sft_adapter)}
            prefer(resolve(DpoConfig, DPO_PRESETS, preset="tiny", overrides=given))
        metrics = json.loads((out / "adapter" / "lineage.json").read_text())["metrics"]
        return (out / "adapter" / "adapter_model.safetensors").read_bytes(), metrics

    weights, metrics = run()
    for _ in range(2):
        shutil.rmtree(out / "adapter")
        again, then = run()
        assert again == weights
        assert then == metrics | {"resumed_from": "checkpoint-5"}
        assert [path.name for path in (out / "checkpoints").glob("checkpoint-*")] == [
            "checkpoint-5"
        ]
