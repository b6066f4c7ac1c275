"""Runs a TRL trainer: its arguments, resuming, and the adapter that is left behind."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from cleanguard.errors import JobError
from guard import CleanModelLoader, Provenance, provenance_of
from guard.records.attestation import attest
from stages.config import as_plain
from stages.folder import file_entry, write_json, write_text
from stages.lineage import LINEAGE
from stages.models import ModelConfig, loader_of
from stages.processes.ranks import agreed, rank, tell_uneven_memory, world_size
from stages.stacks import entry_below
from stages.training.checkpoints import last_valid
from stages.training.config import LoraConfig, TrainConfig
from stages.training.sharded import whole_adapter
from stages.training.watch import AllStepsDoneError

if TYPE_CHECKING:
    import peft

ADAPTER = "adapter"
METRICS = "metrics.jsonl"
CHECKPOINTS = "checkpoints"
# What TRL and transformers report of a process, not of the model: a resume would change it.
_OF_THIS_RUN = ("_runtime", "_per_second", "_num_tokens")
_log = logging.getLogger("cleanguard.training")


def arguments(train: TrainConfig, seed: int, folder: Path, dtype: str, rows: int) -> dict[str, Any]:
    """The arguments that SFTConfig and DPOConfig have in common; nothing is left to their defaults
    that changes what is learnt.

    Args:
        train: The settings.
        seed: Of the order of rows.
        folder: The run's.
        dtype: The model's, as provenance has it.
        rows: How many there are to train on.
    """
    on_gpu = torch.cuda.is_available()
    return {
        "output_dir": str(folder / CHECKPOINTS),
        "num_train_epochs": train.epochs or 1.0,
        "max_steps": train.steps or -1,
        "per_device_train_batch_size": train.batch_size,
        "per_device_eval_batch_size": train.batch_size,
        "gradient_accumulation_steps": train.accumulate,
        "learning_rate": train.learning_rate,
        "lr_scheduler_type": train.schedule,
        "warmup_steps": warmup_of(train, rows),
        "weight_decay": train.weight_decay,
        "max_grad_norm": train.max_grad_norm,
        "max_length": train.max_length,
        "optim": train.optimizer,
        "gradient_checkpointing": train.gradient_checkpointing,
        # The older kind runs the hooks of a backward pass twice, which data parallel refuses.
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
        "save_strategy": "steps" if train.save_steps else "no",
        "save_steps": train.save_steps or 500,
        "save_total_limit": train.keep_checkpoints,
        "logging_steps": train.log_steps,
        "report_to": list(train.report_to) or "none",
        "deepspeed": str(train.deepspeed) if train.deepspeed else None,
        "seed": seed,
        "data_seed": seed,
        "use_cpu": not on_gpu,
        "ddp_backend": None if on_gpu or world_size() == 1 else "gloo",
        "ddp_find_unused_parameters": False if world_size() > 1 else None,
        "bf16": on_gpu and dtype != "float32",
        "disable_tqdm": True,
        "log_level": "error",
        "eval_strategy": "no",
    }


def steps_of(train: TrainConfig, rows: int) -> int:
    """Optimizer steps that a run takes on so many rows, as transformers counts them."""
    if train.steps:
        return train.steps
    batches = ceil(ceil(rows / world_size()) / train.batch_size)
    return max(1, ceil(train.epochs * max(1, ceil(batches / train.accumulate))))


def warmup_of(train: TrainConfig, rows: int) -> int:
    """Steps of warm-up: as asked for, but at most a tenth of all; a run must not end in its warm-up."""
    most = steps_of(train, rows) // 10
    if train.warmup_steps > most and train.schedule != "constant":
        _log.warning(
            "train.warmup_steps: %d of %d steps would be warm-up; it takes %d",
            train.warmup_steps, steps_of(train, rows), most,
        )  # fmt: skip
    return min(train.warmup_steps, most)


def rows_seen(train: TrainConfig, rows: int) -> int:
    """How many different rows the steps of a run see."""
    a_step = train.batch_size * train.accumulate * world_size()
    return min(rows, steps_of(train, rows) * a_step)


def seen_in_words(data: Mapping[str, Any], noun: str) -> str:
    """The rows that a run saw, for the person who ran it."""
    seen, rows = data.get("rows_seen", data["rows"]), data["rows"]
    return f"{rows} {noun}" if seen == rows else f"{seen} of {rows} {noun}"


def loader_for(model: ModelConfig, train: TrainConfig) -> CleanModelLoader:
    """The loader of the model to train; what DeepSpeed spreads over the GPUs is read to the CPU first.

    With `train.deterministic` it turns torch's deterministic algorithms on, for the whole process and
    before the load, so that provenance records them.
    """
    if train.deterministic:
        # cuBLAS reads it when its first handle is made.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
    return loader_of(replace(model, device_map=None) if train.deepspeed else model, for_training=True)  # fmt: skip


def lora(config: LoraConfig) -> peft.LoraConfig:
    """PEFT's own form of the adapter's settings."""
    import peft

    targets = "all-linear" if "all-linear" in config.targets else list(config.targets)
    return peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=config.r,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        bias="none",
        target_modules=targets,
    )


def train(trainer: Any, folder: Path) -> dict[str, Any]:
    """Train from the last whole checkpoint, or from the beginning.

    Returns:
        Steps, losses, and what the held-out rows say, in JSON types.

    Raises:
        JobError: `train.deterministic`, and a kernel that has no deterministic form.
    """
    from transformers import PrinterCallback

    refuse_silent_launch(trainer)
    tell_uneven_memory()
    trainer.remove_callback(PrinterCallback)
    checkpoint = agreed(last_valid(folder / CHECKPOINTS) if rank() == 0 else None)
    if rank() == 0:
        step = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
        _forget_later_metrics(folder / METRICS, step)
    if checkpoint is not None:
        _log.info("going on from %s", checkpoint.name)
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except AllStepsDoneError:
        trainer.is_in_train = False  # the trainer's own end was not reached
    except RuntimeError as error:
        if "deterministic" not in str(error) or not torch.are_deterministic_algorithms_enabled():
            raise
        raise JobError(
            f"train.deterministic: {str(error).splitlines()[0]}; leave it off, or use another "
            "optimizer or attention"
        ) from error
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    metrics: dict[str, Any] = {
        "steps": trainer.state.global_step,
        "first_loss": losses[0] if losses else None,
        "last_loss": losses[-1] if losses else None,
        "resumed_from": checkpoint.name if checkpoint else None,
    }
    if trainer.eval_dataset is not None:
        held = trainer.evaluate()
        metrics |= {
            name: value for name, value in held.items()
            if isinstance(value, float) and not name.endswith(_OF_THIS_RUN)
        }  # fmt: skip
    return metrics


def in_words(metrics: Mapping[str, Any]) -> str:
    """Steps and losses for the person who ran the stage."""
    words = f"{metrics['steps']} steps"
    if metrics["first_loss"] is not None:
        first, last = metrics["first_loss"], metrics["last_loss"]
        words += f", loss {last:.3f}" if first == last else f", loss {first:.3f} to {last:.3f}"
    held = metrics.get("eval_loss")
    return words if held is None else f"{words}, held out {held:.3f}"


def save_adapter(
    model: Any,
    loader: CleanModelLoader,
    folder: Path,
    config: Any,
    *,
    stage: str,
    metrics: Mapping[str, Any],
    data: Mapping[str, Any],
    on: Sequence[Path] = (),
) -> Path:
    """Save the trained adapter with the base's own tokenizer files and where it comes from.

    The folder appears in one step. `adapter_model.safetensors` gets a statement, so that
    `cleanguard verify` can check it, and `lineage.json` says what it was trained on; `on` names the
    adapters that were merged into the base before, and that this one needs below it. Every process
    has to call this: where the weights are sharded, each has a part of them.
    """
    weights_by_name = whole_adapter(model)
    if rank():
        return folder / ADAPTER
    target, scratch = folder / ADAPTER, folder / f".{ADAPTER}.new"
    _remove(scratch)
    model.save_pretrained(scratch, selected_adapters=["default"], state_dict=weights_by_name)
    loader.save_tokenizer(scratch)
    write_text(scratch / "README.md", _card(stage, provenance_of(model)))
    weights = scratch / "adapter_model.safetensors"
    attest(weights, model, params=as_plain(config))
    base = provenance_of(model)
    write_json(
        scratch / LINEAGE,
        {
            "schema": "cleanguard-lineage/1",
            "stage": stage,
            "base": _base(base),
            "parents": [asdict(adapter) for adapter in base.adapters],
            "on": [entry_below(path) for path in on],
            "data": data,
            "config": as_plain(config),
            "metrics": metrics,
            "versions": base.environment.versions,
            "adapter": file_entry(weights),
        },
    )
    _remove(target)
    os.replace(scratch, target)  # noqa: PTH105 - a folder, in one step
    return target


def refuse_silent_launch(trainer: Any) -> None:
    """Raise JobError if FSDP or DeepSpeed was asked for and the trainer goes without it.

    accelerate drops FSDP without a word on a machine without GPUs.
    """
    for name, variable, there in (
        ("FSDP", "ACCELERATE_USE_FSDP", trainer.is_fsdp_enabled),
        ("DeepSpeed", "ACCELERATE_USE_DEEPSPEED", trainer.is_deepspeed_enabled),
    ):
        if os.environ.get(variable, "false").lower() == "true" and not there:
            raise JobError(f"{name} was asked for, and accelerate does not use it here; is there a GPU?")  # fmt: skip
    if trainer.is_fsdp_enabled and trainer.accelerator.state.fsdp_plugin.fsdp_version != 2:
        raise JobError("fsdp_version: only 2 is supported; it shards an adapter and its base apart")


def _base(provenance: Provenance) -> dict[str, Any]:
    full = provenance.to_dict()
    return {
        "model_id": full["model_id"],
        "revision": full["revision"],
        "quantization": full["quantization"],
        "dtype": full["dtype"],
        "tokenizer": full["tokenizer"]["digest"],
        "weights": full["model"]["weights"],
    }


def _card(stage: str, provenance: Provenance) -> str:
    return (
        f"---\nbase_model: {provenance.model_id}\nlibrary_name: peft\n---\n\n"
        f"Adapter of the {stage} stage. `{LINEAGE}` says what it was trained on and with;\n"
        "the tokenizer files are the base model's own, byte for byte.\n"
    )


def _forget_later_metrics(path: Path, step: int) -> None:
    """Drop the lines of steps that are done again."""
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
        write_text(path, "".join(kept))


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
