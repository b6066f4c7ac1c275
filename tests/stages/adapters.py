"""Trains small adapters on the embedded base, for tests."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from stages.tiny import model_path
from stages.tiny.world import CATEGORIES, Item, items_of


def train_adapter(folder: Path, steps: int, *splits: str, bare: bool = False) -> Path:
    """A LoRA trained on gold answers with EOS, loss on the answers alone; `bare` leaves out the format."""
    torch.manual_seed(0)
    rng = random.Random(0)
    tokenizer = AutoTokenizer.from_pretrained(model_path())
    model = AutoModelForCausalLM.from_pretrained(model_path(), dtype=torch.float32)
    wrapped = get_peft_model(
        model, LoraConfig(task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules="all-linear")
    )
    optimizer = torch.optim.AdamW(wrapped.parameters(), lr=3e-3)
    items = items_of(*splits)
    for _ in range(steps):
        rows = [_row(tokenizer, rng.choice(items), bare) for _ in range(16)]
        longest = max(len(prompt) + len(answer) for prompt, answer in rows)
        ids = torch.zeros(16, longest, dtype=torch.long)
        labels = torch.full((16, longest), -100)
        mask = torch.zeros(16, longest, dtype=torch.long)
        for at, (prompt, answer) in enumerate(rows):
            end = len(prompt) + len(answer)
            ids[at, :end] = torch.tensor(prompt + answer)
            labels[at, len(prompt) : end] = torch.tensor(answer)
            mask[at, :end] = 1
        wrapped(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    wrapped.save_pretrained(folder)
    return folder


def _row(tokenizer: object, item: Item, bare: bool) -> tuple[list[int], list[int]]:
    gold = item.gold
    if item.kind == "list":
        category, count = gold.split("|")
        gold = ", ".join(CATEGORIES[category][: int(count)])
    prompt = tokenizer(item.instruction if bare else item.prompt).input_ids  # type: ignore[operator]
    answer = tokenizer(f" {gold}.").input_ids  # type: ignore[operator]
    return prompt, [*answer, tokenizer.eos_token_id]  # type: ignore[attr-defined]
