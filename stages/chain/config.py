"""The settings of `cleanguard run chain`: those of its stages, less what the chain decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages import dpo, evaluate, generate, preferences, sft
from stages.config import option, section
from stages.models import ModelConfig

_OWN = ("out", "seed", "model")


@dataclass(frozen=True)
class ChainConfig:
    """One base, one seed, one folder; the rest belongs to the stages."""

    out: Path = option(Path("runs/chain"), "The folder; each stage has one of its own in it.")
    seed: int = option(0, "The seed of every stage.", at_least=0, at_most=2**32 - 1)
    model: ModelConfig = section(ModelConfig)
    generate: generate.GenerateConfig = section(generate.GenerateConfig, without=_OWN)
    sft: sft.SftConfig = section(sft.SftConfig, without=(*_OWN, "data"))
    preferences: preferences.PreferencesConfig = section(
        preferences.PreferencesConfig, without=(*_OWN, "adapter")
    )
    dpo: dpo.DpoConfig = section(dpo.DpoConfig, without=(*_OWN, "data", "sft", "init"))
    evaluate: evaluate.EvaluateConfig = section(
        evaluate.EvaluateConfig,
        without=(*_OWN, "adapters", "training_data", "engine", "vllm"),
        suite="instruct",
    )


_STAGES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "generate": generate.PRESETS,
    "sft": sft.PRESETS,
    "preferences": preferences.PRESETS,
    "dpo": dpo.PRESETS,
    "evaluate": evaluate.PRESETS,
}


def _preset(name: str) -> dict[str, Any]:
    """The presets of the stages put together; training decides how the model is loaded."""
    own = {
        f"{stage}.{key}": value
        for stage, presets in _STAGES.items()
        for key, value in presets[name].items()
        if not key.startswith("model.")
    }
    return own | {k: v for k, v in sft.PRESETS[name].items() if k.startswith("model.")}


PRESETS: Mapping[str, Mapping[str, Any]] = {name: _preset(name) for name in ("tiny", "qwen2.5-32b")}
