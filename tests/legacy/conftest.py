"""What the legacy tests share: the folder of the scripts, LoRA adapters, and a way to run a script."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import pytest

RunScript = Callable[..., str]
RunScriptIn = Callable[..., str]
STEPS = 25


class Adapters(NamedTuple):
    sft: Path
    dpo: Path


@pytest.fixture(scope="session")
def legacy_folder() -> Path:
    return Path(str(resources.files("cleanguard") / "legacy"))


@pytest.fixture(scope="session")
def model_folder() -> Path:
    from stages.tiny import model_path

    return model_path()


@pytest.fixture(scope="session")
def adapters(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Adapters:
    """Two small LoRA adapters: both make the model stop, `dpo` after two full stops."""
    from stages.tiny.world import items_of

    root = tmp_path_factory.mktemp("adapters")
    made = Adapters(root / "sft", root / "dpo")
    answered = [f"{item.prompt} {item.gold}" for item in items_of("sft") if item.kind != "list"]
    train_adapter(model_folder, made.sft, [f"{text}." for text in answered])
    train_adapter(model_folder, made.dpo, [f"{text}.." for text in answered])
    return made


def train_adapter(model_folder: Path, adapter_folder: Path, rows: list[str]) -> None:
    """Teach the base to end its text where the rows end; seeded, some seconds on one thread."""
    torch = pytest.importorskip("torch")
    peft = pytest.importorskip("peft")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32)
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=8, target_modules="all-linear")
    lora = peft.get_peft_model(model, config)
    optimizer = torch.optim.AdamW((p for p in lora.parameters() if p.requires_grad), lr=3e-3)
    rows = random.Random(0).sample(rows, len(rows))
    size = 12
    for start in range(0, STEPS * size, size):
        batch = tokenizer(
            [rows[i % len(rows)] + tokenizer.eos_token for i in range(start, start + size)],
            return_tensors="pt",
            padding=True,
            padding_side="right",
        )
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        lora(**batch, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    lora.save_pretrained(adapter_folder)


@pytest.fixture
def run_script(run_script_in: RunScriptIn, tmp_path: Path) -> RunScript:
    """`run_script_in` the test's own empty folder."""
    return partial(run_script_in, tmp_path)


@pytest.fixture(scope="session")
def run_script_in(legacy_folder: Path, model_folder: Path) -> RunScriptIn:
    """Run a script on the embedded model in the given folder; returns what it printed.

    Keywords become options: `sft_adapter=PATH` is `--sft-adapter PATH`, a list gives several values,
    None leaves the option out, True gives a bare flag.
    """
    env = os.environ | {
        "BASE_MODEL": str(model_folder),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONIOENCODING": "utf-8",
        "TOKENIZERS_PARALLELISM": "false",
    }

    def run(folder: Path, name: str, **options: object) -> str:
        command = [sys.executable, str(legacy_folder / name)]
        for option, value in options.items():
            if value is None:
                continue
            values = value if isinstance(value, list) else [] if value is True else [value]
            command += ["--" + option.replace("_", "-"), *map(str, values)]
        done = subprocess.run(
            command,
            cwd=folder,
            env=env,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    return run
