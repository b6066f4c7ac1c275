"""Batches of trainers, as they are handed to a training step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType, ModuleType
from typing import Any

from guard.observing.events import Batch
from guard.observing.passes import _matrix
from guard.observing.patching import Patches
from guard.observing.recorder import Recorder


def _steps(recorder: Recorder) -> Callable[..., Any]:
    here = recorder.here

    def make(plain: Callable[..., Any]) -> Callable[..., Any]:
        def training_step(self: Any, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            if here.batch is not None or not recorder.once("training-step"):
                return plain(self, model, inputs, *args, **kwargs)
            here.batch = recorder.quietly(partial(_batch, recorder, self, inputs))
            try:
                return plain(self, model, inputs, *args, **kwargs)
            finally:
                here.batch = None

        return training_step

    return make


def _evaluates(recorder: Recorder) -> Callable[..., Any]:
    """Rows that a trainer evaluates on are its data as well, and nobody's prompts."""
    here = recorder.here

    def make(plain: Callable[..., Any]) -> Callable[..., Any]:
        def prediction_step(self: Any, *args: Any, **kwargs: Any) -> Any:
            if here.batch is not None:
                return plain(self, *args, **kwargs)
            here.batch = recorder.begin().number
            try:
                return plain(self, *args, **kwargs)
            finally:
                here.batch = None

        return prediction_step

    return make


def _batch(recorder: Recorder, trainer: Any, inputs: Any) -> int | None:
    if not isinstance(inputs, Mapping):
        return None
    tensors = {
        name: rows
        for name, value in inputs.items()
        if hasattr(value, "ndim") and (rows := _matrix(value)) is not None
    }
    tokenizer = getattr(trainer, "processing_class", None)
    start = recorder.begin()
    recorder.emit(
        Batch(
            **start.common(),
            trainer=type(trainer).__name__,
            model=recorder.subject(trainer.model),
            tokenizer=recorder.subject(tokenizer) if tokenizer is not None else None,
            collator=type(getattr(trainer, "data_collator", None)).__name__,
            tensors=MappingProxyType(tensors),
        )
    )
    return start.number


def _trainer(patches: Patches, recorder: Recorder, module: ModuleType) -> None:
    patches.wrap(module.Trainer, "training_step", _steps(recorder))
    patches.wrap(module.Trainer, "prediction_step", _evaluates(recorder))


def _trl(patches: Patches, recorder: Recorder, module: ModuleType) -> None:
    # Each of them may have a step of its own, which calls the one above it.
    for owner in tuple(vars(module).values()):
        if isinstance(owner, type) and owner.__module__ == module.__name__:
            patches.wrap(owner, "training_step", _steps(recorder))
            patches.wrap(owner, "prediction_step", _evaluates(recorder))


_TRL = ("sft", "dpo", "kto", "reward", "grpo", "rloo", "orpo", "cpo", "bco", "gkd", "online_dpo")

MODULES: dict[str, Callable[[Patches, Recorder, ModuleType], None]] = {
    "transformers.trainer": _trainer,
    **{f"trl.trainer.{name}_trainer": _trl for name in _TRL},
}
