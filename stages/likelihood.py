"""How likely a model finds a text that follows a prompt: the completion's tokens only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guard.base.finiteness import refuse_broken
from guard.decoding import graphs
from guard.files.hub import torch
from guard.prompts.encoding import pad_left
from guard.prompts.policy import policy_of
from stages.tokens import Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Likelihood:
    """The log-probability of a completion, natural logarithm.

    Attributes:
        total: Summed over its tokens.
        tokens: How many these are; the prompt's are not among them.
    """

    total: float
    tokens: int

    @property
    def mean(self) -> float:
        """Per token, so that texts of different length can be compared."""
        return self.total / self.tokens


def likelihoods(
    model: Any, tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row], *, batch_size: int
) -> list[Likelihood]:
    """Score completions; neither the batch nor the order changes what is scored.

    Args:
        model: A guarded model, or an adapter's wrapper around one.
        tokenizer: Its tokenizer.
        rows: As `stages.tokens.rows_of` gives them.
        batch_size: Rows at a time; rows of similar length go together.

    Raises:
        BrokenModelError: The model's scores are NaN or infinite; the layer is named.
    """
    order = sorted(range(len(rows)), key=lambda at: -len(rows[at].prompt + rows[at].completion))
    found: dict[int, Likelihood] = {}
    was_training = model.training
    model.eval()
    try:
        for start in range(0, len(order), batch_size):
            places = order[start : start + batch_size]
            scored = _batch(model, tokenizer, [rows[at] for at in places])
            found.update(zip(places, scored, strict=True))
    finally:
        model.train(was_training)
        graphs.end_of_call(model)
    return [found[at] for at in range(len(rows))]


def _batch(model: Any, tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row]) -> list[Likelihood]:
    policy = policy_of(tokenizer)
    pad = policy.pad_id if policy.pad_id is not None else policy.eos_id or 0
    texts = [[*row.prompt, *row.completion] for row in rows]
    longest = max(len(row.completion) for row in rows)
    ids, mask = (one.to(model.device) for one in pad_left(texts, pad))
    inputs = {
        "input_ids": ids,
        "attention_mask": mask,
        "position_ids": (mask.cumsum(-1) - 1).clamp(min=0),
    }
    logits = _logits(model, texts, pad, inputs, longest + 1)[:, :-1]
    with torch.inference_mode():
        real = mask[:, -logits.shape[1] - 1 : -1].bool()
        refuse_broken(model, logits[real], inputs, f"{len(rows)} texts")
        of_next = logits.float().log_softmax(-1)
        chosen = of_next.gather(-1, ids[:, -longest:].unsqueeze(-1)).squeeze(-1)
    # Padding is on the left, so every completion ends in the last column.
    return [
        Likelihood(float(line[longest - len(row.completion) :].sum()), len(row.completion))
        for line, row in zip(chosen, rows, strict=True)
    ]


def _logits(
    model: Any, texts: list[list[int]], pad: int, inputs: dict[str, Any], count: int
) -> Any:
    """Logits of the last positions, of shape (rows, count, vocabulary)."""
    if min(map(len, texts)) >= count:
        try:
            return graphs.last_logits(model, texts, pad, count)
        except graphs.NoRoad:
            pass
    with torch.inference_mode():
        return model(**inputs, logits_to_keep=count).logits
