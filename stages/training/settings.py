"""Looks at what training is asked for where only the library or the model can tell: names, files, targets."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cleanguard.catalogue.selection import did_you_mean
from cleanguard.errors import JobError
from stages.training.config import LoraConfig, TrainConfig
from stages.training.reporting import check_reporters

_ALL = "all-linear"


def check_train(train: TrainConfig) -> None:
    """Raise JobError for an optimizer, a reporter or a file that there is not, before a model is loaded."""
    from transformers.training_args import OptimizerNames

    known = [str(one.value) for one in OptimizerNames]
    if train.optimizer not in known:
        raise JobError(
            f"train.optimizer: {train.optimizer!r} is not one of {', '.join(sorted(known))}"
            f"{did_you_mean(train.optimizer, known)}"
        )
    check_reporters(train.report_to)
    if train.deepspeed is not None:
        if not train.deepspeed.is_file():
            raise JobError(f"train.deepspeed: {train.deepspeed}: there is no such file")
        if find_spec("deepspeed") is None:
            raise JobError("train.deepspeed: deepspeed is not installed; pip install deepspeed")


def check_targets(model: Any, lora: LoraConfig) -> None:
    """Raise JobError for a target that no module of the model is called; PEFT passes over it."""
    if _ALL in lora.targets:
        return
    names = {part for name, _ in model.named_modules() for part in _ends(name)}
    for target in lora.targets:
        if target not in names:
            layers = {name.rpartition(".")[2] for name, _ in model.named_modules() if name}
            raise JobError(
                f"lora.targets: no layer of the model is called {target!r}"
                f"{did_you_mean(target, sorted(layers))}"
            )


def go_on_with(model: Any, lora: LoraConfig, folder: Path) -> None:
    """Train an adapter on: its dropout is what was asked for, and the rest is as it was made.

    The config still says none, so that a reference which the trainer makes by it has none.

    Args:
        model: PEFT's model, with the adapter on it.
        lora: What was asked for.
        folder: Where the adapter lies, for messages.

    Raises:
        JobError: Another rank, scale or other layers than the adapter has were asked for.
    """
    plain = LoraConfig()
    [(name, own)] = model.peft_config.items()
    for asked, has, usual, key in (
        (lora.r, own.r, plain.r, "r"),
        (lora.alpha, own.lora_alpha, plain.alpha, "alpha"),
        (lora.targets, plain.targets, plain.targets, "targets"),
    ):
        if asked not in (has, usual):
            raise JobError(
                f"lora.{key}: {folder} is trained on, which has its own; leave it out, or begin with a "
                'new adapter (init = "merged" or "base")'
            )
    for module in model.modules():
        held = getattr(module, "lora_dropout", None)
        if held is not None and name in held:
            held[name] = _dropout(lora.dropout)


def say_dropout(model: Any, lora: LoraConfig) -> None:
    """Let the config of the trained adapter say its dropout, once the trainer has made its reference."""
    own = next(iter(model.peft_config.values()))
    own.lora_dropout = lora.dropout


def _dropout(share: float) -> Any:
    import torch

    return torch.nn.Dropout(share) if share else torch.nn.Identity()


def _ends(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[at:]) for at in range(len(parts))]
