"""How much the batch changes a text or a score, by dtype: alone against in batches.

    python -m tools.batch_effect

Two models on a CPU: the embedded one, which is sure of what it learned, and one of random weights,
which is sure of nothing. Real base models lie between them.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, Qwen2Config

from guard import CleanModelLoader, best_of
from stages.tiny import model_path

WORDS = [
    "the",
    "of",
    "a",
    "to",
    "in",
    "cat",
    "dog",
    "city",
    "people",
    "red",
    "small",
    "water",
    "tree",
    "house",
]
PROMPTS = [
    " ".join(WORDS[(i * 5 + j * 3 + i * j) % len(WORDS)] for j in range(2 + i % 9))
    for i in range(24)
]
CHOICES = [" a dog", " the water", " one day"]


def random_model(target: Path) -> Path:
    """A model of random weights with the embedded one's tokenizer."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=702, hidden_size=256, intermediate_size=512, num_hidden_layers=6,
        num_attention_heads=4, num_key_value_heads=2, eos_token_id=0, bos_token_id=None,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(target)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model_path() / name, target)
    return target


def measure(name: str, path: Path, dtype: str) -> None:
    """Print what a batch of 8 changes for one model in one dtype."""
    model, tokenizer, _ = CleanModelLoader(path, dtype=dtype).load()
    complete, score = CleanModelLoader.complete, CleanModelLoader.score_batch
    alone = [complete(model, tokenizer, [p], max_new_tokens=32)[0].ids for p in PROMPTS]
    batch = [d.ids for d in complete(model, tokenizer, PROMPTS, max_new_tokens=32, batch_size=8)]
    firsts = [
        next((at for at, (a, b) in enumerate(zip(x, y, strict=False)) if a != b), -1)
        for x, y in zip(alone, batch, strict=True)
        if x != y
    ]
    one = [score(model, tokenizer, [(p, CHOICES)], batch_size=1)[0] for p in PROMPTS]
    many = score(model, tokenizer, [(p, CHOICES) for p in PROMPTS], batch_size=8)
    apart = [
        abs(a.total - b.total)
        for x, y in zip(one, many, strict=True)
        for a, b in zip(x, y, strict=True)
    ]
    flips = sum(best_of(x) != best_of(y) for x, y in zip(one, many, strict=True))
    print(
        f"{name:9} {dtype:9} texts that differ {len(firsts):2} of {len(PROMPTS)}, "
        f"the first at token {min(firsts, default=None)}; scores differ by at most "
        f"{max(apart):.1e}, {flips} of {len(PROMPTS)} choices flip"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        paths = {"embedded": model_path(), "random": random_model(Path(folder))}
        for name, path in paths.items():
            for dtype in ("float32", "bfloat16"):
                measure(name, path, dtype)
