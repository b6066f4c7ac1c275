"""Rows for fine-tuning as ids and labels, and the proof of which tokens carry loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from guard.errors import SettingsError
from guard.prompts.policy import policy_of
from stages.tokens import rows_of
from stages.training.config import TrainConfig
from stages.training.errors import MaskedEosError, TooLongError
from stages.training.tables import table_of

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

IGNORED = -100


def labelled(
    tokenizer: PreTrainedTokenizerBase,
    records: Sequence[dict[str, Any]],
    config: TrainConfig,
    side: str = "training",
) -> tuple[Dataset | None, dict[str, int]]:
    """Token ids and labels: prompt masked, completion and EOS not.

    Args:
        tokenizer: The base model's.
        records: With `prompt` and `completion`.
        config: Says what fits, and what becomes of what does not.
        side: What the rows are called in an error.

    Returns:
        The table (None without records), and counts for the lineage.

    Raises:
        TooLongError: Rows do not fit and are not to be dropped.
    """
    if not records:
        return None, {"rows": 0}
    rows = rows_of(tokenizer, [(one["prompt"], one["completion"]) for one in records], eos=True)
    fits = fitting([len(row.prompt + row.completion) for row in rows], config, side)
    kept = [row for row, fit in zip(rows, fits, strict=True) if fit]
    table = table_of(
        [
            {
                "input_ids": [*row.prompt, *row.completion],
                "labels": [IGNORED] * len(row.prompt) + list(row.completion),
            }
            for row in kept
        ]
    )
    counts = {
        "rows": len(kept),
        "dropped_as_too_long": len(rows) - len(kept),
        "merged_across_the_boundary": sum(row.merged for row in kept),
        "tokens": sum(len(row.prompt) + len(row.completion) for row in kept),
        "tokens_with_loss": sum(len(row.completion) for row in kept),
    }
    return table, counts


def fitting(lengths: Sequence[int], config: TrainConfig, side: str = "training") -> list[bool]:
    """Which rows fit, by their tokens; raises TooLongError if others are not to be dropped."""
    over = [length for length in lengths if length > config.max_length]
    if over and config.overlong == "refuse":
        raise TooLongError(
            f"{len(over)} of {len(lengths)} {side} rows have more than {config.max_length} tokens, "
            f"the longest {max(over)}; cut rows would lose their EOS",
            evidence={"rows": len(over), "longest": max(over), "limit": config.max_length},
            remedy="raise train.max_length, or say train.overlong = drop",
        )
    if len(over) == len(lengths):
        raise SettingsError(
            f"none of the {len(lengths)} {side} rows fits: the shortest has {min(lengths)} tokens, "
            f"and train.max_length is {config.max_length}",
            remedy="raise train.max_length"
            + ("" if side == "training" else ", or hold out other rows (holdout.eval_share)"),
        )
    return [length <= config.max_length for length in lengths]


def prove_loss(
    trainer: Any, tokenizer: PreTrainedTokenizerBase, expected: Dataset, batch: int
) -> None:
    """Compare every batch as the trainer will collate it with the rows that were meant.

    Raises:
        MaskedEosError: A row lost its EOS, its EOS or another completion token carries no loss, or
            a prompt or padding token does.
    """
    eos = policy_of(tokenizer).eos_id
    found = trainer.train_dataset
    if len(found) != len(expected):
        raise MaskedEosError(f"the trainer dropped {len(expected) - len(found)} of {len(expected)} rows")  # fmt: skip
    for start in range(0, len(found), batch):
        places = range(start, min(start + batch, len(found)))
        collated = trainer.data_collator(
            [{name: found[at][name] for name in ("input_ids", "labels")} for at in places]
        )
        for at, ids, labels, mask in zip(
            places, collated["input_ids"].tolist(), collated["labels"].tolist(),
            collated["attention_mask"].tolist(), strict=True,
        ):  # fmt: skip
            meant = expected[at]
            length = len(meant["input_ids"])
            whole = ids[:length] == meant["input_ids"] and labels[:length] == meant["labels"]
            padded = all(label == IGNORED for label in labels[length:]) and sum(mask) == length
            if not whole or not padded or labels[length - 1] != eos:
                raise MaskedEosError(
                    f"row {at} reaches the loss other than it was meant: its last label is "
                    f"{labels[length - 1]}, EOS is {eos}",
                    evidence={"row": at, "labels": labels},
                )
