"""The dpo stage: pairs in, a proven reference, an adapter with its lineage out."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanguard.errors import JobError
from guard import provenance_of
from stages.adapters import attach
from stages.dpo.config import DpoConfig
from stages.dpo.rows import paired, prove_pairs, prove_reference
from stages.folder import file_entry, run_folder
from stages.lineage import lineage_of
from stages.registry import Outcome
from stages.training import engine
from stages.training.data import read_traced
from stages.training.overlap import refuse_overlap
from stages.training.settings import check_targets, check_train, go_on_with, say_dropout
from stages.training.watch import Watch

if TYPE_CHECKING:
    from guard import Loaded

_log = logging.getLogger("cleanguard.dpo")


def prefer(config: DpoConfig) -> Outcome:
    """Train an adapter and save it; a finished one is left as it is, a stopped run goes on.

    Raises:
        DroppedProvenanceError, TrainTestOverlapError, MaskedEosError, TooLongError,
        DeadGradientError, WrongReferenceError: What their names say.
        JobError: The pairs, the sft adapter or the folder cannot be used.
    """
    check_train(config.train)
    with run_folder(config.out, "dpo", config) as folder:
        records = read_traced(
            config.data,
            {"prompt": str, "chosen": str, "rejected": str, "finished": bool, "split": str},
            answers=("chosen", "rejected"),
        )
        for number, record in enumerate(records, 1):
            if not record["finished"]:
                raise JobError(
                    f"{config.data}:{number}: an answer that did not end; EOS would be put behind it"
                )
        data = file_entry(config.data)
        done = lineage_of(folder / engine.ADAPTER)
        if done is not None and done["data"]["sha256"] == data["sha256"]:
            return _outcome(folder, done["metrics"], done["data"])
        data["overlap"] = refuse_overlap(records, config.holdout)
        metrics, known = _train(config, folder, records, data)
    return _outcome(config.out, metrics, known)


def _train(
    config: DpoConfig, folder: Path, records: list[dict[str, Any]], data: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    import trl
    from transformers import set_seed

    loader = engine.loader_for(config.model, config.train)
    loaded = loader.load()
    check_targets(loaded.model, config.lora)
    model = _beginning(config, loaded)
    if config.init == "sft":
        go_on_with(model, config.lora, config.sft)
    sides = {name: [one for one in records if one["split"] == name] for name in ("train", "eval")}
    table, counts = paired(loaded.tokenizer, sides["train"], config.train)
    held_table, held_counts = paired(loaded.tokenizer, sides["eval"], config.train, "held-out")
    if table is None:
        raise JobError(f"{config.data}: all pairs are held out; none is left to train on")
    _log.info("dpo: %d pairs to train on, %d held out", counts["rows"], held_counts["rows"])
    if long := counts["dropped_as_too_long"] + held_counts.get("dropped_as_too_long", 0):
        _log.info("dpo: %d longer than %d tokens dropped", long, config.train.max_length)
    set_seed(config.seed)
    dtype = provenance_of(model).dtype
    shared = engine.arguments(config.train, config.seed, folder, dtype, counts["rows"])
    # The trainer averages batches; with one pair each, the mean is that of the pairs.
    shared["per_device_eval_batch_size"] = 1
    trainer = trl.DPOTrainer(
        model=model,
        args=trl.DPOConfig(
            **shared,
            beta=config.beta,
            loss_type=list(config.loss),
            loss_weights=list(config.loss_weights) or None,
            disable_dropout=not config.lora.dropout,
        ),
        train_dataset=table.select_columns(["prompt", "chosen", "rejected"]),
        eval_dataset=held_table and held_table.select_columns(["prompt", "chosen", "rejected"]),
        processing_class=loaded.tokenizer,
        peft_config=engine.lora(config.lora) if config.init != "sft" else None,
        callbacks=[Watch(folder / engine.METRICS)],
    )
    if config.init == "sft":
        say_dropout(model, config.lora)
    # The trainer tokenises for itself; these are the ids that the guard made.
    trainer.train_dataset, trainer.eval_dataset = table, held_table
    prove_pairs(trainer, loaded.tokenizer, config.train.batch_size)
    prove_reference(trainer, config.init)
    metrics = engine.train(trainer, folder)
    known = {
        **data,
        **counts,
        "rows_seen": engine.rows_seen(config.train, counts["rows"]),
        "held_out_rows": held_counts["rows"],
        "reference": config.init,
        "groups": len({one["group"] for one in sides["train"]}),
    }
    engine.save_adapter(
        trainer.model, loader, folder, config, stage="dpo", metrics=metrics, data=known,
        on=(config.sft,) if config.init == "merged" else (),
    )  # fmt: skip
    return metrics, known


def _beginning(config: DpoConfig, loaded: Loaded) -> Any:
    """The model that training begins with."""
    if config.init == "base":
        return loaded.model
    model = attach(loaded, config.sft, is_trainable=config.init == "sft")
    return model.merge_and_unload() if config.init == "merged" else model


def _outcome(folder: Path, metrics: dict[str, Any], data: dict[str, Any]) -> Outcome:
    return Outcome(
        (
            f"adapter in {folder / engine.ADAPTER}, trained on {engine.seen_in_words(data, 'pairs')}: "
            f"{engine.in_words(metrics)}; the reference is the {data['reference']} model",
        )
    )
