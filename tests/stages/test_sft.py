"""The sft stage on the embedded model: which tokens carry loss, what is refused, what a resume gives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import DataCollatorForLanguageModeling

from cleanguard.errors import JobError
from guard import CleanModelLoader, Loaded
from guard.errors import SettingsError
from guard.records.verification import verify_file
from stages.config import resolve
from stages.sft import PRESETS, SftConfig, steps
from stages.sft.rows import fitting, labelled, prove_loss
from stages.sft.steps import fine_tune
from stages.tiny import model_path
from stages.training.config import TrainConfig
from stages.training.engine import rows_seen, seen_in_words, steps_of, warmup_of
from stages.training.errors import (
    DeadGradientError,
    DroppedProvenanceError,
    MaskedEosError,
    TooLongError,
    TrainTestOverlapError,
)
from stages.training.held_out import held_out_loss
from stages.training.watch import Watch, refuse_dead_gradients


def config(data: Path, out: Path, **changes: Any) -> SftConfig:
    """A short run; keywords with two underscores reach into sections."""
    overrides = {
        "train.steps": "6", "train.save_steps": "2", "train.log_steps": "1", "train.batch_size": "8",
        "data": str(data), "out": str(out),
    }  # fmt: skip
    overrides |= {name.replace("__", "."): str(value) for name, value in changes.items()}
    return resolve(SftConfig, PRESETS, preset="tiny", overrides=overrides)


def weights(out: Path) -> bytes:
    return (out / "adapter" / "adapter_model.safetensors").read_bytes()


def test_loss_falls_on_the_completion_and_its_eos_alone(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Loaded
) -> None:
    batches: list[Any] = []

    def look(trainer: Any, tokenizer: Any, table: Any, size: int) -> None:
        prove_loss(trainer, tokenizer, table, size)
        batches.append(next(iter(trainer.get_train_dataloader())))

    monkeypatch.setattr(steps, "prove_loss", look)
    fine_tune(config(data, tmp_path / "s", train__steps=1))
    [batch] = batches
    records = [json.loads(line) for line in data.read_text().splitlines()]
    wanted = {one["prompt"]: one["completion"] for one in records}
    for ids, labels, mask in zip(
        batch["input_ids"].tolist(), batch["labels"].tolist(), batch["attention_mask"].tolist(),
        strict=True,
    ):  # fmt: skip
        carrying = [at for at, label in enumerate(labels) if label != -100]
        prompt = tiny.tokenizer.decode(ids[: carrying[0]])
        assert prompt.endswith("\nResponse:")
        assert tiny.tokenizer.decode(ids[carrying[0] : carrying[-1]]) == wanted[prompt]
        assert carrying == list(range(carrying[0], sum(mask)))
        assert labels[carrying[-1]] == tiny.tokenizer.eos_token_id
        # The embedded model pads with EOS: only the first of them is meant.
        assert ids[carrying[-1] :].count(tiny.tokenizer.eos_token_id) == len(ids) - carrying[-1]


def test_a_collator_that_masks_padding_is_refused(data: Path) -> None:
    tokenizer = CleanModelLoader(model_path(), for_training=True).load_tokenizer()
    records = [json.loads(line) for line in data.read_text().splitlines()][:4]
    settings = SftConfig().train
    table, counts = labelled(tokenizer, records, settings)
    assert counts["rows"] == 4
    hf = DataCollatorForLanguageModeling(tokenizer, mlm=False)

    class Trainer:
        train_dataset = table
        data_collator = staticmethod(
            lambda rows: hf([{"input_ids": row["input_ids"]} for row in rows])
        )

    assert table is not None
    with pytest.raises(MaskedEosError, match=r"CG401.*its last label is -100, EOS is 0"):
        prove_loss(Trainer(), tokenizer, table, 4)
    Trainer.train_dataset = table.select(range(3))
    with pytest.raises(MaskedEosError, match="dropped 1 of 4"):
        prove_loss(Trainer(), tokenizer, table, 4)


def test_the_adapter_has_its_lineage_and_the_untouched_tokenizer(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = fine_tune(config(data, tmp_path / "s", holdout__eval_share=0.2))
    adapter = tmp_path / "s" / "adapter"
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        assert (adapter / name).read_bytes() == (model_path() / name).read_bytes()
    assert verify_file(adapter / "adapter_model.safetensors").problems == ()
    lineage = json.loads((adapter / "lineage.json").read_text())
    records = [json.loads(line) for line in data.read_text().splitlines()]
    groups = {one["group"] for one in records}
    seen = lineage["data"]
    assert seen["held_out_groups"] == round(0.2 * len(groups))
    assert seen["groups"] + seen["held_out_groups"] == len(groups)
    assert seen["rows"] + seen["held_out_rows"] == len(records)
    assert seen["overlap"]["items"] > 200
    assert "eval_loss" in lineage["metrics"]
    assert "every row ends in EOS" in outcome.lines[1]
    model = CleanModelLoader.attach_adapter(
        CleanModelLoader(model_path(), dtype="float32").load().model, adapter
    )
    assert not model.training
    # Finished: asked again, it trains nothing.
    monkeypatch.setattr(steps, "_train", None)
    assert fine_tune(config(data, tmp_path / "s", holdout__eval_share=0.2)).lines == outcome.lines


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param("torn", marks=pytest.mark.slow),
        pytest.param("nothing", marks=pytest.mark.slow),
        pytest.param("unsealed", marks=pytest.mark.slow),
    ],
)
def test_a_resume_gives_the_same_bytes(
    damage: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = (config(data, tmp_path / name, lora__dropout=0.1) for name in ("whole", "cut"))
    fine_tune(whole)
    on_log = Watch.on_log

    def dies(self: Watch, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        on_log(self, args, state, control, **kwargs)
        if state.global_step == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(Watch, "on_log", dies)
    with pytest.raises(KeyboardInterrupt):
        fine_tune(cut)
    monkeypatch.undo()
    last = tmp_path / "cut" / "checkpoints" / "checkpoint-4"
    if damage == "torn":
        (last / "optimizer.pt").write_bytes((last / "optimizer.pt").read_bytes()[:-100])
    if damage == "unsealed":
        (last / "sealed.json").unlink()
    fine_tune(cut)
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
    resumed = json.loads((tmp_path / "cut" / "adapter" / "lineage.json").read_text())["metrics"]
    assert resumed["resumed_from"] == ("checkpoint-4" if damage == "nothing" else "checkpoint-2")
    assert (last.parent / "damaged-checkpoint-4").exists() == (damage != "nothing")
    logged = [
        json.loads(line)["step"]
        for line in (tmp_path / "cut" / "metrics.jsonl").read_text().splitlines()
    ]
    assert [step for at, step in enumerate(logged) if step not in logged[:at]] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("quant", ["nf4", pytest.param("int8", marks=pytest.mark.slow)])
def test_quantized_layers_train(
    quant: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine_tune(config(data, tmp_path / "s", model__quant=quant, train__steps=2))
    lineage = json.loads((tmp_path / "s" / "adapter" / "lineage.json").read_text())
    assert lineage["base"]["quantization"] == quant
    assert lineage["metrics"]["steps"] == 2


def test_dead_gradients_are_named() -> None:
    layer = torch.nn.Linear(2, 2, bias=False)
    model = torch.nn.ModuleDict({"lora_A": layer})
    with pytest.raises(DeadGradientError, match="1 of 1 adapter layers"):
        refuse_dead_gradients(model)
    layer.weight.grad = torch.full((2, 2), float("nan"))
    with pytest.raises(DeadGradientError, match="is nan"):
        refuse_dead_gradients(model)
    layer.weight.grad = torch.ones(2, 2)
    refuse_dead_gradients(model)
    with pytest.raises(DeadGradientError, match="nothing is trained"):
        refuse_dead_gradients(model.requires_grad_(False))


def test_data_without_provenance_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(JobError, match="no such file"):
        fine_tune(config(tmp_path / "absent.jsonl", tmp_path / "s"))
    copy = shutil.copy(data, tmp_path / "copy.jsonl")
    with pytest.raises(DroppedProvenanceError, match="CG501"):
        fine_tune(config(copy, tmp_path / "s"))
    for name in (data.name, f"{data.name}.intoto.json"):
        shutil.copy(data.with_name(name), tmp_path)
    edited = tmp_path / data.name
    edited.write_text(edited.read_text().replace('" 8"', '" 9"', 1))
    with pytest.raises(DroppedProvenanceError, match="CG501"):
        fine_tune(config(edited, tmp_path / "s"))


def test_overlap_with_the_evaluation_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text('{"key": "add:0:8"}\n')
    with pytest.raises(TrainTestOverlapError, match=r"CG503.*2 share a key and 0 a text"):
        fine_tune(config(data, tmp_path / "s", holdout__against=tmp_path / "items.jsonl"))


def test_rows_that_do_not_fit_are_refused_not_cut(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "cleanguard.sft")
    with pytest.raises(TooLongError, match=r"CG205.*lose their EOS"):
        fine_tune(config(data, tmp_path / "s", train__max_length=15))
    fine_tune(
        config(data, tmp_path / "d", train__max_length=15, train__overlong="drop", train__steps=1)
    )
    lineage = json.loads((tmp_path / "d" / "adapter" / "lineage.json").read_text())
    dropped = lineage["data"]["dropped_as_too_long"]
    assert dropped > 0
    assert f"sft: {dropped} longer than 15 tokens dropped" in caplog.text


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_the_held_out_loss_is_weighted_by_tokens(batch_size: int, tmp_path: Path) -> None:
    """The same for every batch size: checked against a loss taken row by row."""
    from datasets import Dataset
    from transformers import Trainer, TrainingArguments

    loaded = CleanModelLoader(model_path(), for_training=True, dtype="float32").load()
    rows = [
        {"input_ids": list(range(5, 5 + size)), "labels": [-100] * 2 + list(range(7, 5 + size))}
        for size in (4, 31, 6, 17, 5, 9, 40)
    ]

    def collate(batch: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        longest = max(len(row["input_ids"]) for row in batch)
        pads = [longest - len(row["input_ids"]) for row in batch]
        return {
            "input_ids": torch.tensor(
                [r["input_ids"] + [0] * p for r, p in zip(batch, pads, strict=True)]
            ),
            "labels": torch.tensor(
                [r["labels"] + [-100] * p for r, p in zip(batch, pads, strict=True)]
            ),
            "attention_mask": torch.tensor([[1] * (longest - p) + [0] * p for p in pads]),
        }

    trainer = Trainer(
        model=loaded.model,
        args=TrainingArguments(
            str(tmp_path), per_device_eval_batch_size=batch_size, use_cpu=True, report_to="none"
        ),
        eval_dataset=Dataset.from_list(rows),
        data_collator=collate,
    )
    total, tokens = 0.0, 0
    loaded.model.eval()
    for row in rows:
        with torch.no_grad():
            logits = loaded.model(torch.tensor([row["input_ids"]])).logits[0, :-1].double()
        wanted = torch.tensor(row["labels"][1:])
        kept = wanted != -100
        total -= float(logits.log_softmax(-1)[kept].gather(1, wanted[kept][:, None]).sum())
        tokens += int(kept.sum())
    assert held_out_loss(trainer)["eval_loss"] == pytest.approx(total / tokens, rel=1e-5)


def test_warm_up_is_at_most_a_tenth_and_the_rows_that_were_seen_are_counted() -> None:
    assert [warmup_of(TrainConfig(steps=n), 136) for n in (1, 9, 10, 49, 50, 500)] == [
        0,
        0,
        1,
        4,
        5,
        5,
    ]
    assert warmup_of(TrainConfig(epochs=1, batch_size=8), 40) == 0
    assert steps_of(TrainConfig(epochs=2, batch_size=8, accumulate=2), 136) == 18
    assert rows_seen(TrainConfig(steps=1, batch_size=16), 136) == 16
    assert rows_seen(TrainConfig(steps=100, batch_size=16), 136) == 136
    assert seen_in_words({"rows": 136, "rows_seen": 16}, "rows") == "16 of 136 rows"
    assert seen_in_words({"rows": 136}, "rows") == "136 rows"


def test_a_held_out_side_that_does_not_fit_is_told() -> None:
    config = TrainConfig(max_length=4, overlong="drop")
    with pytest.raises(
        SettingsError, match=r"none of the 2 held-out rows fits: the shortest has 5"
    ):
        fitting([5, 6], config, "held-out")


def test_deterministic_training_is_recorded_and_a_kernel_without_is_told(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        fine_tune(config(data, tmp_path / "s", train__steps=2, train__deterministic="true"))
        statement = tmp_path / "s" / "adapter" / "adapter_model.safetensors.intoto.json"
        assert '"deterministic":true' in statement.read_text().replace(" ", "")

        def refuses(*_args: Any, **_more: Any) -> None:
            raise RuntimeError("put_ does not have a deterministic implementation")

        monkeypatch.setattr("trl.SFTTrainer.train", refuses)
        with pytest.raises(JobError, match=r"train.deterministic: put_ .*leave it off"):
            fine_tune(config(data, tmp_path / "t", train__steps=2, train__deterministic="true"))
    finally:
        torch.use_deterministic_algorithms(False)
