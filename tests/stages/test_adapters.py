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


def set_in_config(**changes: object) -> Callable[[Path], None]:
    def change(adapter: Path) -> None:
        file = adapter / "adapter_config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return change


def deep_config(adapter: Path) -> None:
    (adapter / "adapter_config.json").write_text("[" * 100_000)


def listed_config(adapter: Path) -> None:
    (adapter / "adapter_config.json").write_text("[]")


@pytest.mark.parametrize(
    "damage",
    [
        cut_weights, cut_tail, torn_lineage, foreign_lineage, deep_config, listed_config,
        set_in_config(base_model_name_or_path=5), set_in_config(peft_type="NOPE"),
        set_in_config(peft_type=[]),
    ],
)  # fmt: skip
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


@pytest.mark.parametrize("changes", [{"r": "x"}, {"r": 8}, {"rank_pattern": 5}, {"bias": "odd"}])
def test_settings_that_peft_cannot_use_are_the_adapter_s_fault(
    changes: dict[str, object], sft_adapter: Path, tiny: Loaded, tmp_path: Path
) -> None:
    adapter = tmp_path / "adapter"
    shutil.copytree(sft_adapter, adapter)
    set_in_config(**changes)(adapter)
    with pytest.raises(JobError, match=r"adapter does not fit this base: .*adapter_config\.json"):
        attach(tiny, adapter)
    overrides = {"adapters": f"a={adapter}", "out": str(tmp_path / "run"), "limit": "5"}
    config = resolve(evaluate.CONFIG, evaluate.PRESETS, overrides=overrides)
    with pytest.raises(JobError, match=r"adapters: a .* does not fit this base"):
        evaluate.run(config)  # type: ignore[arg-type]


def test_an_adapter_that_is_whole_goes_on(sft_adapter: Path, tiny: Loaded) -> None:
    model = attach(tiny, sft_adapter)
    assert list(model.peft_config) == ["default"]
    model.unload()
