"""Adapters whose files are damaged are named, by every stage that takes one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cleanguard.errors import JobError
from guard import Loaded
from stages import differentiate, evaluate
from stages.adapters import attach
from stages.config import resolve


def cut_weights(adapter: Path) -> None:
    file = adapter / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])


def cut_tail(adapter: Path) -> None:
    file = adapter / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])


def torn_lineage(adapter: Path) -> None:
    text = (adapter / "lineage.json").read_text()
    (adapter / "lineage.json").write_text(text[: len(text) // 2])


def foreign_lineage(adapter: Path) -> None:
    (adapter / "lineage.json").write_text(json.dumps({"base": 3}))


@pytest.mark.parametrize("damage", [cut_weights, cut_tail, torn_lineage, foreign_lineage])
def test_damage_is_named(
    damage: Callable[[Path], None], sft_adapter: Path, tiny: Loaded, tmp_path: Path
) -> None:
    adapter = tmp_path / "adapter"
    shutil.copytree(sft_adapter, adapter)
    damage(adapter)
    with pytest.raises(JobError, match="is damaged"):
        attach(tiny, adapter)
    for stage in (evaluate, differentiate):
        overrides = {"adapters": f"a={adapter}", "out": str(tmp_path / "run"), "limit": "5"}
        with pytest.raises(JobError, match="is damaged"):
            stage.run(resolve(stage.CONFIG, stage.PRESETS, overrides=overrides))  # type: ignore[arg-type]


def test_an_adapter_that_is_whole_goes_on(sft_adapter: Path, tiny: Loaded) -> None:
    model = attach(tiny, sft_adapter)
    assert list(model.peft_config) == ["default"]
    model.unload()
