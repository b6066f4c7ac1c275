"""Watches a trainer: live gradients, sealed checkpoints, metrics kept as JSON lines."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from stages.processes.hanging import mark
from stages.processes.ranks import barrier
from stages.training.checkpoints import seal
from stages.training.errors import DeadGradientError
from stages.training.sharded import whole

_log = logging.getLogger("cleanguard.training")


class AllStepsDoneError(Exception):
    """Leaves a trainer that resumed from its last step: transformers would take one step more."""


class Watch(TrainerCallback):  # type: ignore[misc]  # transformers is not followed
    """Raises DeadGradientError at the first optimizer step if an adapter layer gets no gradient.

    LoRA's first matrix has none at the first step, because the second begins as zero; so each layer
    needs one in either.
    """

    def __init__(self, metrics: Path) -> None:
        self.checked = False
        self._metrics = metrics
        self._seen: dict[str, float] = {}
        self._hooks: list[Any] = []
        self._predicted = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Leave if every step is done.

        Under DeepSpeed, note the gradients on their way: they are gone when the step begins.

        Raises:
            AllStepsDoneError: the checkpoint that was resumed from is that of the last step.
        """
        if state.global_step >= state.max_steps:
            raise AllStepsDoneError
        if getattr(args, "deepspeed_plugin", None) is None:
            return
        for name, parameter in kwargs["model"].named_parameters():
            if parameter.requires_grad:
                self._hooks.append(parameter.register_hook(partial(self._note, name)))

    def _note(self, name: str, grad: Any) -> None:
        self._seen[name] = self._seen.get(name, 0.0) + float(grad.detach().abs().sum())

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Tell the other processes where this one is."""
        mark(state.global_step + 1, f"step {state.global_step + 1}")

    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The same while held-out rows are read."""
        self._predicted += 1
        mark(state.max_steps + self._predicted, f"held-out batch {self._predicted}")

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look at the gradients once."""
        if not self.checked:
            self.checked = True
            refuse_dead_gradients(kwargs["model"], self._seen)
            while self._hooks:
                self._hooks.pop().remove()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Seal what was saved."""
        barrier()  # every process writes a part of the checkpoint
        if state.is_world_process_zero:
            seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Keep the metrics of a step."""
        if not state.is_world_process_zero or not logs:
            return
        line = {"step": state.global_step, **logs}
        with self._metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if "loss" in logs:
            _log.info("step %d of %d, loss %s", state.global_step, state.max_steps, logs["loss"])


def refuse_dead_gradients(model: Any, noted: Mapping[str, float] | None = None) -> None:
    """Raise DeadGradientError unless every trained adapter layer has a finite, non-zero gradient.

    Args:
        model: Its parameters are asked for their gradients.
        noted: The size of gradients that are gone already, by the parameter's name.
    """
    alive: dict[str, bool] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        layer = name.partition(".lora_")[0]
        grad = None if parameter.grad is None else whole(parameter.grad.detach())
        size = (noted or {}).get(name, 0.0) if grad is None else float(grad.abs().sum())
        if not torch.isfinite(torch.tensor(size)):
            raise DeadGradientError(
                f"the gradient of {name} is {size}", remedy="lower the learning rate, or use bf16"
            )
        alive[layer] = alive.get(layer, False) or size > 0
    dead = [layer for layer, lives in alive.items() if not lives]
    if dead or not alive:
        raise DeadGradientError(
            f"{len(dead)} of {len(alive)} adapter layers get no gradient at the first step"
            + (f", such as {dead[0]}" if dead else ": nothing is trained"),
            evidence={"layers": len(alive), "dead": dead[:5]},
            remedy="load with for_training=True, and run no forward pass on a 4-bit model before",
        )
