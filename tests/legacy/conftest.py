"""What the legacy tests share: the folder of the scripts, LoRA adapters, and a way to run a script."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import pytest

RunScript = Callable[..., str]
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
    root = tmp_path_factory.mktemp("adapters")
    made = Adapters(root / "sft", root / "dpo")
    train_adapter(model_folder, made.sft, end=".")
    train_adapter(model_folder, made.dpo, end="..")
    return made


def train_adapter(model_folder: Path, adapter_folder: Path, end: str) -> None:
    """Teach the base to finish an answer with `end` and EOS; seeded, some seconds on one thread."""
    torch = pytest.importorskip("torch")
    peft = pytest.importorskip("peft")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32)
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, target_modules="all-linear")
    lora = peft.get_peft_model(model, config)
    optimizer = torch.optim.AdamW((p for p in lora.parameters() if p.requires_grad), lr=5e-3)
    rows = [
        f"Instruction: Add {a} and {b}.\nResponse: {a + b}{end}" for a in (1, 4, 7) for b in (2, 5)
    ]
    rows += [
        f"Instruction: Say {word} {number} times.\nResponse: {' '.join([word] * count)}{end}"
        for word in ("cow", "kiwi", "drill", "pink")
        for number, count in (("two", 2), ("three", 3), ("four", 4))
    ]
    batch = tokenizer(
        [row + tokenizer.eos_token for row in rows],
        return_tensors="pt",
        padding=True,
        padding_side="right",
    )
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    for _ in range(STEPS):
        lora(**batch, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    lora.save_pretrained(adapter_folder)


@pytest.fixture
def run_script(legacy_folder: Path, model_folder: Path, tmp_path: Path) -> RunScript:
    """Run a script on the embedded model in an empty folder; returns what it printed.

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

    def run(name: str, **options: object) -> str:
        command = [sys.executable, str(legacy_folder / name)]
        for option, value in options.items():
            if value is None:
                continue
            values = value if isinstance(value, list) else [] if value is True else [value]
            command += ["--" + option.replace("_", "-"), *map(str, values)]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=env,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    return run
