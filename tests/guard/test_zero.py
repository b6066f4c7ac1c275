"""Models whose weights DeepSpeed's ZeRO 3 has spread over processes before the loader sees them."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from guard.base.shards import rows_of

# A script that parses its TrainingArguments first, as most do: the load then spreads the weights.
SCRIPT = """\
import os, sys, torch
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29631", RANK="0", WORLD_SIZE="1", LOCAL_RANK="0")
torch.distributed.init_process_group("gloo")
import deepspeed
sys.modules["deepspeed.comm.torch"].build_shm_op = lambda: None
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

adam = {"type": "AdamW", "params": {"lr": 5e-5, "torch_adam": True}}
auto = dict.fromkeys(("train_micro_batch_size_per_gpu", "train_batch_size", "gradient_accumulation_steps"), "auto")
zero = {"zero_optimization": {"stage": 3}, "optimizer": adam, **auto}
options = dict(max_steps=3, logging_steps=1, report_to=[], save_strategy="no", use_cpu=True, seed=1)
args = TrainingArguments(sys.argv[2], deepspeed=zero, **options)
if sys.argv[3] == "guarded":
    from guard import CleanModelLoader
    model = CleanModelLoader(sys.argv[1], dtype="float32", for_training=True).load().model
else:
    model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype="float32")
rows = [{"input_ids": torch.arange(5, 15) + i, "labels": torch.arange(5, 15) + i} for i in range(6)]
trainer = Trainer(model=model, args=args, train_dataset=rows)
trainer.train()
print("LOSSES", [one["loss"] for one in trainer.state.log_history if "loss" in one])
"""


def test_the_rows_of_a_spread_matrix() -> None:
    weight = torch.nn.Parameter(torch.empty(0))
    assert rows_of(torch.nn.Parameter(torch.empty(7, 2))) == 7
    weight.ds_shape = torch.Size([800, 32])  # type: ignore[attr-defined]
    assert rows_of(weight) == 800


@pytest.mark.slow
@pytest.mark.skipif(find_spec("deepspeed") is None, reason="DeepSpeed is not installed")
def test_it_trains_as_an_unguarded_one(tiny_dir: Path, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    said = []
    for kind in ("raw", "guarded"):
        done = subprocess.run(
            [sys.executable, str(script), str(tiny_dir), str(tmp_path / kind), kind],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith("LOSSES")]
        assert len(lines) == 1, done.stderr[-2000:]
        said += lines
    assert said[0] == said[1]
