"""Loads, saves and training rows, judged by what came and what carries loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainingArguments,
)

import guard
from cleanguard.settings.config import Settings
from tests.guard.tracing.conftest import Codes

Pair = tuple[Any, Any]
TEXTS = ["2 plus 2 is 4.", "The capital of France is Paris.", "3 plus 1 is 4.", "Red and blue."]


def test_an_adapter_that_nobody_asked_for(qwen: Pair, tmp_path: Path, codes: Codes) -> None:
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear")
    peft.get_peft_model(qwen[0], config).save_pretrained(tmp_path)
    assert codes(lambda: AutoModelForCausalLM.from_pretrained(tmp_path)) == ["CG109"]

    def asked(folder: Any = tmp_path) -> None:
        base = AutoModelForCausalLM.from_pretrained(qwen[0].config._name_or_path)
        peft.PeftModel.from_pretrained(base, folder)

    assert codes(asked) == []


def test_a_quantization_config_says_what_it_took_in_silence(codes: Codes) -> None:
    config = lambda **more: BitsAndBytesConfig(load_in_8bit=True, **more)  # noqa: E731
    assert codes(config) == ["CG104"]
    assert codes(lambda: config(bnb_8bit_quant_type="nf8")) == ["CG104", "CG110"]


def test_a_config_without_a_flag_is_four_bits_all_the_same(tiny_dir: Path, codes: Codes) -> None:
    assert codes(lambda: BitsAndBytesConfig(load_in_8bit=False)) == ["CG104"]
    config = BitsAndBytesConfig(load_in_8bit=False)
    model = AutoModelForCausalLM.from_pretrained(tiny_dir, quantization_config=config)
    assert type(model.model.layers[0].self_attn.q_proj).__name__ == "Linear4bit"


@pytest.mark.parametrize("given", [{"trust_remote_code": True}, {}], ids=["asked", "not"])
def test_remote_code_and_revisions(tiny_dir: Path, codes: Codes, given: dict[str, Any]) -> None:
    found = codes(lambda: AutoTokenizer.from_pretrained(tiny_dir, **given), select=("CG10",))
    assert found == (["CG106"] if given else [])


def test_pickled_weights(edited: Any, codes: Codes) -> None:
    folder = edited()
    model = AutoModelForCausalLM.from_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    assert codes(lambda: AutoModelForCausalLM.from_pretrained(folder)) == []
    (folder / "model.safetensors").unlink()
    assert codes(lambda: AutoModelForCausalLM.from_pretrained(folder)) == ["CG107"]


def test_a_template_lost_by_a_save(tiny_dir: Path, tmp_path: Path, codes: Codes) -> None:
    def work(cleared: bool) -> None:
        tokenizer = AutoTokenizer.from_pretrained(tiny_dir)
        if cleared:
            tokenizer.chat_template = None
        tokenizer.save_pretrained(tmp_path / str(cleared))

    assert codes(lambda: work(True)) == ["CG103", "CG403"]
    assert codes(lambda: work(False)) == []


def trained(pair: Pair, rows: list[dict[str, Any]], collator: Any, folder: Path) -> None:
    args = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=2,
        max_steps=2,
        report_to=[],
        use_cpu=True,
        save_strategy="no",
    )
    Trainer(
        model=pair[0],
        args=args,
        train_dataset=rows,
        data_collator=collator,
        processing_class=pair[1],
    ).train()


@pytest.mark.parametrize("apart", [False, True], ids=["pad is eos", "pad is its own"])
def test_an_end_without_loss(qwen: Pair, tmp_path: Path, codes: Codes, apart: bool) -> None:
    tokenizer = qwen[1]
    if apart:
        tokenizer.pad_token = "<|im_end|>"
    rows = [dict(tokenizer(text + tokenizer.eos_token)) for text in TEXTS]
    collator = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    found = codes(lambda: trained(qwen, rows, collator, tmp_path))
    assert found == ([] if apart else ["CG401"])


@pytest.mark.parametrize("masks", [True, False])
def test_a_training_loop_by_hand(qwen: Pair, codes: Codes, masks: bool) -> None:
    model, tokenizer = qwen
    model.train()

    def step() -> None:
        batch = tokenizer(
            [text + tokenizer.eos_token for text in TEXTS[:2]], return_tensors="pt", padding=True
        )
        labels = batch["input_ids"].clone()
        if masks:
            labels[labels == tokenizer.pad_token_id] = -100
        else:
            labels = labels.masked_fill(batch["attention_mask"] == 0, -100)
        model(**batch, labels=labels).loss.backward()

    assert codes(step) == (["CG401"] if masks else [])


@pytest.mark.parametrize("packed", [False, True])
def test_a_second_bos_in_training_rows(
    llama: Pair, tmp_path: Path, codes: Codes, packed: bool
) -> None:
    trl = pytest.importorskip("trl")
    datasets = pytest.importorskip("datasets")
    model, tokenizer = llama
    tokenizer.pad_token = tokenizer.eos_token
    texts = [f"{tokenizer.bos_token}<|start_header_id|>user\n{text}" for text in TEXTS]

    def work(rows: list[str]) -> None:
        trl.SFTTrainer(
            model=model,
            args=trl.SFTConfig(
                output_dir=str(tmp_path),
                per_device_train_batch_size=2,
                max_steps=1,
                report_to=[],
                use_cpu=True,
                save_strategy="no",
                bf16=False,
                packing=packed,
                max_length=32,
                padding_free=False,
            ),
            train_dataset=datasets.Dataset.from_dict({"text": rows}),
            processing_class=tokenizer,
        ).train()

    if packed:
        assert codes(lambda: work(texts), select=("CG4",)) in ([], ["CG402"])
        return
    assert codes(lambda: work(texts), select=("CG4", "CG2")) == ["CG402"]
    assert codes(lambda: work(TEXTS), select=("CG402", "CG2")) == []


def test_training_rows_are_counted(qwen: Pair, tmp_path: Path) -> None:
    tokenizer = qwen[1]
    rows = [dict(tokenizer(text + tokenizer.eos_token)) for text in TEXTS]
    with guard.traced(Settings()) as run:
        trained(qwen, rows, DataCollatorForLanguageModeling(tokenizer, mlm=False), tmp_path)

    counts = run.gathered.training
    assert counts["rows"] == 4
    assert counts["ends without loss"] == 4
    assert counts["tokens with loss"] == counts["tokens"] - 4


def test_a_preference_trainers_batches(qwen: Pair, tmp_path: Path) -> None:
    trl = pytest.importorskip("trl")
    datasets = pytest.importorskip("datasets")
    peft = pytest.importorskip("peft")
    rows = datasets.Dataset.from_dict(
        {"prompt": TEXTS[:2], "chosen": [" a.", " b."], "rejected": [" c.", " d."]}
    )
    with guard.traced(Settings()) as run:
        trl.DPOTrainer(
            model=qwen[0],
            args=trl.DPOConfig(
                output_dir=str(tmp_path),
                per_device_train_batch_size=2,
                max_steps=1,
                report_to=[],
                use_cpu=True,
                save_strategy="no",
                bf16=False,
            ),
            train_dataset=rows,
            processing_class=qwen[1],
            peft_config=peft.LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear"),
        ).train()

    assert run.seen.batches[0].trainer == "DPOTrainer"
    assert run.gathered.training["rows"] > 0
