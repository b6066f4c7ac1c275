"""The models of benchmarks/guard.py: the embedded one, and random weights of larger shapes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

# Sizes of the published models; the weights are random, so only speed and memory mean anything.
SHAPES: dict[str, dict[str, Any]] = {
    # As many layers and calls a token as the 7B shape, and next to nothing to compute in them.
    "deep": {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 28,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 702,
    },
    "small": {
        "hidden_size": 512,
        "intermediate_size": 2048,
        "num_hidden_layers": 8,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "vocab_size": 32_000,
    },
    "qwen2.5-0.5b": {
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "vocab_size": 151_936,
        "tie_word_embeddings": True,
    },
    "qwen2.5-7b": {
        "hidden_size": 3584,
        "intermediate_size": 18_944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152_064,
        "max_position_embeddings": 131_072,
        "rope_theta": 1_000_000.0,
    },
    "qwen2.5-32b": {
        "hidden_size": 5120,
        "intermediate_size": 27_648,
        "num_hidden_layers": 64,
        "num_attention_heads": 40,
        "num_key_value_heads": 8,
        "vocab_size": 152_064,
        "max_position_embeddings": 131_072,
        "rope_theta": 1_000_000.0,
    },
}


def model_directory(shape: str, dtype: str, device: str, scratch: Path) -> Path:
    """A directory with a model of a shape and the embedded model's tokenizer."""
    from stages.tiny import model_path

    if shape == "tiny":
        return model_path()
    import torch
    from transformers import AutoModelForCausalLM, Qwen2Config

    target = scratch / shape
    config = Qwen2Config(bos_token_id=None, eos_token_id=0, pad_token_id=None, **SHAPES[shape])
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
    model.save_pretrained(target, max_shard_size="4GB")
    del model
    if device != "cpu":
        torch.cuda.empty_cache()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model_path() / name, target)
    return target


def prompts(count: int, *, equal: bool = False) -> list[str]:
    """Distinct prompts of several lengths, from 4 to about 60 tokens, or of one length."""
    line = "{a} plus {b} is {c}.\n"
    if equal:  # a digit is a token
        return [
            "".join(f"{(i >> n) % 10} plus {n} is " for n in range(6)) + f"{i % 1000:03d}"
            for i in range(count)
        ]
    return [
        "".join(line.format(a=i % 10, b=n, c=i % 10 + n) for n in range(1 + i % 6))
        + f"{i} plus 1 is"
        for i in range(count)
    ]
