"""Small real models behind the stand-ins of `codemods.proof.stand_in_models`, for what is asked besides answers.

Nothing of them answers: they have a family's config, and its layers under the names that adapters look for.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

# Families by what their names say, with the config and what it calls a small size.
_FAMILIES = (
    (r"gpt-?2", "GPT2Config", {"n_embd": 8, "n_layer": 1, "n_head": 1, "n_positions": 1024}),
    (
        r"pythia|neox|stablelm-base|dolly",
        "GPTNeoXConfig",
        {
            "hidden_size": 8,
            "num_hidden_layers": 1,
            "num_attention_heads": 1,
            "intermediate_size": 8,
        },
    ),
    (
        r"\bopt\b",
        "OPTConfig",
        {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "ffn_dim": 8},
    ),
)
_ELSE = (
    "LlamaConfig",
    {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8},
)


def config_of(name: str, vocabulary: int, eos: int) -> Any:
    """A family's config with one small layer, for a model by its name."""
    transformers = import_module("transformers")
    kind, sizes = next(
        (
            (kind, sizes)
            for pattern, kind, sizes in _FAMILIES
            if re.search(pattern, name, re.IGNORECASE)
        ),
        _ELSE,
    )
    config = getattr(transformers, kind)(
        **sizes, vocab_size=vocabulary, bos_token_id=None, eos_token_id=eos, pad_token_id=None
    )
    config._name_or_path = name
    return config


def layers_of(config: Any) -> Any:
    """The model of a config, with weights that nobody asks."""
    return import_module("transformers").AutoModelForCausalLM.from_config(config)
