"""The dpo stage: the reference in each form, what is counted, what a resume gives."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from cleanguard.errors import JobError
from guard import CleanModelLoader, Loaded
from guard.records.verification import verify_file
from guard.records.writer import JsonlWriter
from stages.config import resolve
from stages.dpo import PRESETS, DpoConfig, steps
from stages.dpo.config import LossName
from stages.dpo.rows import paired, prove_pairs, prove_reference
from stages.dpo.steps import prefer
from stages.likelihood import likelihoods
from stages.tiny import model_path
from stages.tokens import rows_of
from stages.training.errors import MaskedEosError, TrainTestOverlapError, WrongReferenceError
from stages.training.watch import Watch


def config(pairs: Path, sft: Path, out: Path, **changes: Any) -> DpoConfig:
    overrides = {
        "train.steps": "4", "train.save_steps": "2", "train.log_steps": "1", "train.batch_size": "4",
        "data": str(pairs), "sft": str(sft), "out": str(out),
    }  # fmt: skip
    overrides |= {name.replace("__", "."): str(value) for name, value in changes.items()}
    return resolve(DpoConfig, PRESETS, preset="tiny", overrides=overrides)


def metrics(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "init",
    [
        "base",
        pytest.param("sft", marks=pytest.mark.slow),
        pytest.param("merged", marks=pytest.mark.slow),
    ],
)
def test_the_reference_is_what_training_begins_with(
    init: str, pairs: Path, sft_adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its log-probabilities are those of the model loaded again by itself; the first loss is ln 2."""
    seen: dict[str, Any] = {}

    def look(trainer: Any, form: str) -> None:
        prove_reference(trainer, form)
        rows = [trainer.train_dataset[at] for at in range(4)]
        batch = trainer.data_collator(
            [
                {name: row[name] for name in ("prompt_ids", "chosen_ids", "rejected_ids")}
                for row in rows
            ]
        )
        found = trainer.compute_ref_log_probs(trainer.model, trainer._prepare_inputs(batch))
        seen["reference"] = [one.cpu() for one in found]
        seen["records"] = rows

    monkeypatch.setattr(steps, "prove_reference", look)
    settings = config(pairs, sft_adapter, tmp_path / "d", init=init, loss="sigmoid", train__steps=1)
    prefer(settings)
    fresh = CleanModelLoader(model_path(), dtype="float32").load()
    model: Any = fresh.model
    if init != "base":
        model = CleanModelLoader.attach_adapter(model, sft_adapter)
    for side, found in zip(("chosen", "rejected"), seen["reference"], strict=True):
        texts = [(row["prompt"], row[side]) for row in seen["records"]]
        rows = rows_of(fresh.tokenizer, texts, eos=True)
        own = [one.total for one in likelihoods(model, fresh.tokenizer, rows, batch_size=4)]
        assert found.tolist() == pytest.approx(own, abs=1e-3)
    first = next(line for line in metrics(tmp_path / "d") if "loss" in line)
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-4)
    lineage = json.loads((tmp_path / "d" / "adapter" / "lineage.json").read_text())
    assert lineage["data"]["reference"] == init
    assert len(lineage["parents"]) == (init != "base")
    assert [one["path"] for one in lineage["on"]] == (
        [str(sft_adapter.resolve())] if init == "merged" else []
    )
    assert lineage["data"]["held_out_rows"] > 0
    assert verify_file(tmp_path / "d" / "adapter" / "adapter_model.safetensors").problems == ()


def test_the_sft_loss_joins_the_other(pairs: Path, sft_adapter: Path, tmp_path: Path) -> None:
    prefer(config(pairs, sft_adapter, tmp_path / "d", train__steps=1))
    first = next(line for line in metrics(tmp_path / "d") if "loss" in line)
    assert first["loss"] > math.log(2) + 0.01


@pytest.mark.slow
def test_a_resume_gives_the_same_bytes(
    pairs: Path, sft_adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = (config(pairs, sft_adapter, tmp_path / name) for name in ("whole", "cut"))
    prefer(whole)
    on_log = Watch.on_log

    def dies(self: Watch, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        on_log(self, args, state, control, **kwargs)
        if state.global_step == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Watch, "on_log", dies)
    with pytest.raises(KeyboardInterrupt):
        prefer(cut)
    monkeypatch.undo()
    prefer(cut)
    one, other = (
        (tmp_path / name / "adapter" / "adapter_model.safetensors").read_bytes()
        for name in ("whole", "cut")
    )
    assert one == other
    lineage = json.loads((tmp_path / "cut" / "adapter" / "lineage.json").read_text())
    assert lineage["metrics"]["resumed_from"] == "checkpoint-2"


@pytest.mark.slow
def test_nf4(pairs: Path, sft_adapter: Path, tmp_path: Path) -> None:
    for init in ("sft", "base"):
        prefer(config(pairs, sft_adapter, tmp_path / init, init=init, model__quant="nf4"))
        lineage = json.loads((tmp_path / init / "adapter" / "lineage.json").read_text())
        assert lineage["base"]["quantization"] == "nf4"


class FakeTrainer:
    ref_model: Any = None

    def __init__(self, model: Any) -> None:
        self.model = model


def test_a_wrong_reference_is_refused(sft_adapter: Path) -> None:
    loaded = CleanModelLoader(model_path(), dtype="float32", for_training=True).load()
    model = CleanModelLoader.attach_adapter(loaded.model, sft_adapter, is_trainable=True)
    trainer = FakeTrainer(model)
    with pytest.raises(WrongReferenceError, match="not the sft adapter"):
        prove_reference(trainer, "sft")
    with pytest.raises(WrongReferenceError, match="not begin as the base"):
        prove_reference(trainer, "base")
    model.add_adapter("ref", model.peft_config["default"])
    with pytest.raises(WrongReferenceError, match="differs from the sft adapter in"):
        prove_reference(trainer, "sft")
    trainer.ref_model = torch.nn.Linear(1, 1)
    with pytest.raises(WrongReferenceError, match="of its own"):
        prove_reference(trainer, "sft")


def test_answers_that_do_not_reach_the_loss_whole_are_refused(tiny: Loaded) -> None:
    record = {"prompt": "Add 1 and 2.\nResponse:", "chosen": " 3", "rejected": " 4, I think"}
    table, counts = paired(tiny.tokenizer, [record], DpoConfig().train)
    assert counts["rows"] == 1
    assert table is not None
    row = table[0]
    assert row["chosen_ids"][-1] == row["rejected_ids"][-1] == tiny.tokenizer.eos_token_id

    from trl.trainer.dpo_trainer import DataCollatorForPreference

    class Trainer:
        train_dataset = table
        data_collator = DataCollatorForPreference(pad_token_id=0)

    prove_pairs(Trainer(), tiny.tokenizer, 4)
    Trainer.data_collator = DataCollatorForPreference(pad_token_id=0, max_length=len(row["prompt_ids"]) + 3)  # fmt: skip
    with pytest.raises(MaskedEosError, match="the rejected answer of pair 0"):
        prove_pairs(Trainer(), tiny.tokenizer, 4)


def test_pairs_that_must_not_be_trained_on(
    pairs: Path, sft_adapter: Path, tmp_path: Path, tiny: Loaded
) -> None:
    (tmp_path / "items.jsonl").write_text(pairs.read_text().splitlines()[0] + "\n")
    with pytest.raises(TrainTestOverlapError, match="CG503"):
        prefer(
            config(pairs, sft_adapter, tmp_path / "o", holdout__against=tmp_path / "items.jsonl")
        )
    record = {"prompt": "a", "chosen": " b", "rejected": " c", "group": "g", "split": "train"}
    with JsonlWriter(tmp_path / "open.jsonl", tiny.model) as out:
        out.write("1", {**record, "finished": True})
        out.write("2", {**record, "finished": False})
    with pytest.raises(JobError, match=r"open.jsonl:2: an answer that did not end"):
        prefer(config(tmp_path / "open.jsonl", sft_adapter, tmp_path / "u"))
    with JsonlWriter(tmp_path / "todo.jsonl", tiny.model) as out:
        out.write("1", {**record, "finished": True, "rejected": " TODO"})
    with pytest.raises(JobError, match=r"todo.jsonl:1: rejected is a placeholder"):
        prefer(config(tmp_path / "todo.jsonl", sft_adapter, tmp_path / "t"))


def test_settings_that_contradict_each_other() -> None:
    with pytest.raises(JobError, match="2 weights for 1 losses"):
        DpoConfig(loss=("sigmoid",), loss_weights=(1.0, 2.0))
    with pytest.raises(JobError, match="loss"):
        DpoConfig(loss=())


def test_a_loss_that_trl_does_not_know_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"loss: 'sigmoyd' is not one of .*did you mean 'sigmoid'"):
        resolve(DpoConfig, PRESETS, file=None, preset="tiny", overrides={"loss": "sigmoyd"})


def test_the_losses_are_those_of_trl() -> None:
    import inspect
    import typing

    import trl.trainer.dpo_trainer as source

    told = set(re.findall(r'loss_type == "(\w+)"', inspect.getsource(source)))
    assert told == set(typing.get_args(LossName))
