"""Metrics go where `train.report_to` says, as well as into metrics.jsonl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback
from transformers.integrations import integration_utils

from cleanguard.errors import JobError
from stages.config import resolve
from stages.sft import PRESETS, SftConfig
from stages.sft.steps import fine_tune


def config(data: Path, out: Path, report_to: str) -> SftConfig:
    overrides = {
        "train.steps": "3", "train.save_steps": "0", "train.log_steps": "1", "train.batch_size": "4",
        "data": str(data), "out": str(out), "train.report_to": report_to,
    }  # fmt: skip
    return resolve(SftConfig, PRESETS, preset="tiny", overrides=overrides)


def kept(out: Path) -> dict[int, float]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


def test_the_trainer_reports_every_step(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[int, float] = {}

    class Local(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "loss" in logs:
                told[state.global_step] = logs["loss"]

    monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, "dvclive", Local)
    fine_tune(config(data, tmp_path / "s", "dvclive"))
    assert list(told) == [1, 2, 3]
    assert told == kept(tmp_path / "s")


def test_tensorboard_gets_the_losses(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="metrics go to metrics.jsonl without it")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fine_tune(config(data, tmp_path / "s", "tensorboard"))
    [events] = (tmp_path / "s").rglob("events.out.tfevents*")
    found = EventAccumulator(str(events.parent))
    found.Reload()
    shown = {one.step: one.value for one in found.Scalars("train/loss")}
    assert shown == pytest.approx(kept(tmp_path / "s"))


def test_a_place_that_is_not_known_is_told_before_a_model_is_loaded(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.training.engine.loader_of", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(JobError, match=r"'wandbb' is not one of .*did you mean 'wandb'"):
        fine_tune(config(data, tmp_path / "a", "wandbb"))

    def missing() -> None:
        raise RuntimeError("it requires a package")

    monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, "wandb", missing)
    with pytest.raises(JobError, match="wandb cannot be used: it requires a package"):
        fine_tune(config(data, tmp_path / "b", "wandb"))
