"""Small random models of many families with the embedded model's tokenizer, to try a decoding on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
import transformers

from stages.tiny import model_path

_VOCABULARY = 702
_SIZE: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": _VOCABULARY,
    "max_position_embeddings": 512,
}
_OLD: dict[str, Any] = {"vocab_size": _VOCABULARY, "n_positions": 512, "n_embd": 64, "n_layer": 2}
_WINDOW = {"head_dim": 16, "sliding_window": 12}

# By family: its config class, and what the small one says. The windows are shorter than prompts.
FIXED: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", _SIZE),
    "qwen3": ("Qwen3Config", {**_SIZE, "head_dim": 16}),
    "mistral, a window": ("MistralConfig", {**_SIZE, "sliding_window": 12}),
    "gemma-2, windows and eager": ("Gemma2Config", {**_SIZE, **_WINDOW}),
    "gemma-3, windows": ("Gemma3TextConfig", {**_SIZE, **_WINDOW, "num_hidden_layers": 6}),
    "gpt-2, absolute positions": ("GPT2Config", {**_OLD, "n_head": 4}),
    "gpt-neox": ("GPTNeoXConfig", {k: v for k, v in _SIZE.items() if "key_value" not in k}),
    "opt": (
        "OPTConfig",
        {
            "vocab_size": _VOCABULARY,
            "hidden_size": 64,
            "word_embed_proj_dim": 64,
            "ffn_dim": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": 512,
        },
    ),
    "mixtral, experts": ("MixtralConfig", {**_SIZE, "num_local_experts": 4}),
}
PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "bloom, alibi": (
        "BloomConfig",
        {"vocab_size": _VOCABULARY, "hidden_size": 64, "n_layer": 2, "n_head": 4},
    ),
    "mamba, a state": (
        "MambaConfig",
        {"vocab_size": _VOCABULARY, "hidden_size": 64, "num_hidden_layers": 2},
    ),
    "llama-4, chunks": (
        "Llama4TextConfig",
        {**_SIZE, "head_dim": 16, "intermediate_size_mlp": 96, "num_local_experts": 2,
         "attention_chunk_size": 16},
    ),
}  # fmt: skip


def lay(name: str, target: Path) -> Path:
    """Write a family's model to a directory."""
    kind, sizes = {**FIXED, **PLAIN}[name]
    config = getattr(transformers, kind)(
        **sizes, bos_token_id=None, eos_token_id=0, pad_token_id=None
    )
    torch.manual_seed(3)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():  # far enough apart that rounding never decides
        for parameter in model.parameters():
            parameter.mul_(3 if parameter.dim() > 1 else 1)
    model.save_pretrained(target)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model_path() / file, target)
    return target
