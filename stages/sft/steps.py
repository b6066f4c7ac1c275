"""The sft stage: traced data in, a proven loss mask, an adapter with its lineage out."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from guard import provenance_of
from stages.folder import file_entry, run_folder
from stages.lineage import lineage_of
from stages.registry import Outcome
from stages.sft.config import SftConfig
from stages.sft.rows import labelled, prove_loss
from stages.training import engine
from stages.training.data import read_traced, split_by_group
from stages.training.held_out import held_out_loss
from stages.training.overlap import refuse_overlap
from stages.training.settings import check_targets, check_train
from stages.training.watch import Watch

_log = logging.getLogger("cleanguard.sft")


def fine_tune(config: SftConfig) -> Outcome:
    """Train an adapter and save it; a finished one is left as it is, a stopped run goes on.

    Raises:
        DroppedProvenanceError, TrainTestOverlapError, MaskedEosError, TooLongError,
        DeadGradientError: What their names say.
        JobError: The data or the folder cannot be used.
    """
    check_train(config.train)
    with run_folder(config.out, "sft", config) as folder:
        records = read_traced(
            config.data, {"prompt": str, "completion": str}, answers=("completion",)
        )
        data = file_entry(config.data)
        done = lineage_of(folder / engine.ADAPTER)
        if done is not None and done["data"]["sha256"] == data["sha256"]:
            return _outcome(folder, done["metrics"], done["data"])
        overlap = refuse_overlap(records, config.holdout)
        training, held = split_by_group(records, config.holdout.eval_share, config.seed)
        metrics, counts = _train(config, folder, training, held, {**data, "overlap": overlap})
    return _outcome(config.out, metrics, counts)


def _train(
    config: SftConfig,
    folder: Path,
    training: list[dict[str, Any]],
    held: list[dict[str, Any]],
    data: dict[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    import trl
    from transformers import set_seed

    loader = engine.loader_for(config.model, config.train)
    loaded = loader.load()
    check_targets(loaded.model, config.lora)
    table, counts = labelled(loaded.tokenizer, training, config.train)
    held_table, held_counts = labelled(loaded.tokenizer, held, config.train, "held-out")
    assert table is not None
    _log.info("sft: %d rows to train on, %d held out", counts["rows"], held_counts["rows"])
    if long := counts["dropped_as_too_long"] + held_counts.get("dropped_as_too_long", 0):
        _log.info("sft: %d longer than %d tokens dropped", long, config.train.max_length)
    set_seed(config.seed)  # the adapter's first matrices are drawn when the trainer is made
    watch = Watch(folder / engine.METRICS)
    trainer = trl.SFTTrainer(
        model=loaded.model,
        args=trl.SFTConfig(
            **engine.arguments(
                config.train, config.seed, folder, provenance_of(loaded.model).dtype, len(table)
            )
        ),
        train_dataset=table,
        eval_dataset=held_table,
        processing_class=loaded.tokenizer,
        peft_config=engine.lora(config.lora),
        callbacks=[watch],
    )
    prove_loss(trainer, loaded.tokenizer, table, config.train.batch_size)
    metrics = engine.train(trainer, folder) | held_out_loss(trainer)
    known = {
        **data,
        **counts,
        "rows_seen": engine.rows_seen(config.train, counts["rows"]),
        "held_out_rows": held_counts["rows"],
        "groups": len({record["group"] for record in training}),
        "held_out_groups": len({record["group"] for record in held}),
    }
    engine.save_adapter(
        trainer.model, loader, folder, config, stage="sft", metrics=metrics, data=known
    )
    return metrics, known


def _outcome(folder: Path, metrics: dict[str, Any], data: dict[str, Any]) -> Outcome:
    return Outcome(
        (
            f"adapter in {folder / engine.ADAPTER}, trained on {engine.seen_in_words(data, 'rows')}: "
            f"{engine.in_words(metrics)}",
            f"loss on {data['tokens_with_loss']} of {data['tokens']} tokens; every row ends in EOS",
        )
    )
