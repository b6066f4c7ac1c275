"""Pairs as token ids, and the proof that both answers of each reach the loss whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from guard.prompts.policy import policy_of
from stages.sft.rows import fitting
from stages.tokens import rows_of
from stages.training.config import TrainConfig
from stages.training.errors import MaskedEosError, WrongReferenceError
from stages.training.tables import table_of

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

_TEXTS = ("prompt", "chosen", "rejected")


def paired(
    tokenizer: PreTrainedTokenizerBase,
    records: Sequence[dict[str, Any]],
    config: TrainConfig,
    side: str = "training",
) -> tuple[Dataset | None, dict[str, int]]:
    """Texts and ids of each pair; both answers end in EOS, exactly once.

    Returns:
        The table (None without records), and counts for the lineage.

    Raises:
        TooLongError: Pairs do not fit and are not to be dropped.
    """
    if not records:
        return None, {"rows": 0}
    chosen = rows_of(tokenizer, [(one["prompt"], one["chosen"]) for one in records], eos=True)
    rejected = rows_of(tokenizer, [(one["prompt"], one["rejected"]) for one in records], eos=True)
    both = list(zip(records, chosen, rejected, strict=True))
    fits = fitting(
        [max(len(one.prompt + one.completion) for one in (good, bad)) for _, good, bad in both],
        config,
        side,
    )
    table = [
        {
            **{name: record[name] for name in _TEXTS},
            "prompt_ids": list(good.prompt),
            "chosen_ids": list(good.completion),
            "rejected_ids": list(bad.completion),
        }
        for (record, good, bad), fit in zip(both, fits, strict=True)
        if fit
    ]
    counts = {
        "rows": len(table),
        "dropped_as_too_long": len(records) - len(table),
        "merged_across_the_boundary": sum(row.merged for row in (*chosen, *rejected)),
    }
    return table_of(table), counts


def prove_pairs(trainer: Any, tokenizer: PreTrainedTokenizerBase, batch: int) -> None:
    """Look at every batch as the trainer will collate it.

    Raises:
        MaskedEosError: An answer lost tokens or its EOS, or is counted over its prompt or padding.
    """
    eos = policy_of(tokenizer).eos_id
    table = trainer.train_dataset
    for start in range(0, len(table), batch):
        rows = [table[at] for at in range(start, min(start + batch, len(table)))]
        collated = trainer.data_collator(
            [{n: row[n] for n in ("prompt_ids", "chosen_ids", "rejected_ids")} for row in rows]
        )
        meant = [row["prompt_ids"] + row["chosen_ids"] for row in rows]
        meant += [row["prompt_ids"] + row["rejected_ids"] for row in rows]
        prompts = [len(row["prompt_ids"]) for row in rows] * 2
        for at, (ids, mask, whole, prompt) in enumerate(
            zip(
                collated["input_ids"].tolist(), collated["completion_mask"].tolist(), meant, prompts,
                strict=True,
            )
        ):  # fmt: skip
            counted = [place for place, bit in enumerate(mask) if bit]
            if (
                ids[: len(whole)] != whole
                or whole[-1] != eos
                or counted != list(range(prompt, len(whole)))
            ):
                side = "chosen" if at < len(rows) else "rejected"
                raise MaskedEosError(
                    f"the {side} answer of pair {start + at % len(rows)} reaches the loss other "
                    "than it was meant",
                    evidence={"ids": ids, "counted": counted},
                )


def prove_reference(trainer: Any, init: str) -> None:
    """Check that the reference is what training begins with, before the first step.

    Raises:
        WrongReferenceError: It is another model: one from disk, or the base below an sft adapter.
    """
    import torch

    if trainer.ref_model is not None:
        raise WrongReferenceError("the trainer loaded a reference model of its own")
    named = dict(trainer.model.named_parameters())
    adapters = set(trainer.model.peft_config)
    if init in ("base", "merged"):
        grown = [n for n, p in named.items() if "lora_B" in n and bool(p.detach().any())]
        if adapters != {"default"} or grown:
            raise WrongReferenceError(
                f"the new adapter does not begin as the {init} model",
                evidence={"adapters": sorted(adapters)},
            )
        return
    own = [name for name in named if ".default." in name]
    if adapters != {"default", "ref"} or not own:
        raise WrongReferenceError(
            "the reference is not the sft adapter", evidence={"adapters": sorted(adapters)}
        )
    for name in own:
        policy, reference = named[name], named[name.replace(".default.", ".ref.")]
        # The trainer casts the trained copy to bf16 on a quantized base.
        if not torch.equal(policy, reference.to(policy.dtype)) or reference.requires_grad:
            raise WrongReferenceError(f"the reference differs from the sft adapter in {name}")
