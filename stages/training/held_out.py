"""The loss on held-out rows, weighted by tokens as the training loss is: any batch size gives the same."""

from __future__ import annotations

from typing import Any

import torch


def held_out_loss(trainer: Any) -> dict[str, float]:
    """The mean loss of the held-out tokens that carry one; empty without held-out rows.

    transformers' own `eval_loss` is the mean of the batches' means, weighted by rows, so that the
    same weights get another figure for another batch size.

    Args:
        trainer: A trainer whose rows have `input_ids` and `labels`; every process has to call this.

    Returns:
        `eval_loss` in nats a token.
    """
    if trainer.eval_dataset is None:
        return {}
    model, total, tokens = trainer.model_wrapped, 0.0, 0
    was_training = model.training
    model.eval()
    try:
        for batch in trainer.get_eval_dataloader():
            ready = trainer._prepare_inputs(batch)
            labels = ready.pop("labels")
            with torch.no_grad():
                logits = model(**ready).logits[:, :-1].float()
            wanted = labels[:, 1:]
            losses = torch.nn.functional.cross_entropy(
                logits.transpose(1, 2), wanted, ignore_index=-100, reduction="none"
            )
            rows = torch.stack([losses.sum(1).double(), (wanted != -100).sum(1).double()], dim=1)
            # Without the rows that are doubled where they do not go up evenly between processes.
            rows = trainer.accelerator.gather_for_metrics(rows)
            total += float(rows[:, 0].sum())
            tokens += int(rows[:, 1].sum())
    finally:
        model.train(was_training)
    return {"eval_loss": total / tokens} if tokens else {}
