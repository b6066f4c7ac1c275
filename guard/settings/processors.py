"""What is done to the scores of each step: penalties that see no padding, sampling, and a look at NaN.

transformers' own penalties count padding as text in some of the versions that are allowed, so a
text would depend on the batch it was generated in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from guard.base.finiteness import refuse_broken
from guard.files.hub import torch, transformers
from guard.settings.sampling import SeededSampling

if TYPE_CHECKING:
    from guard.settings.jobs import Job
    from guard.settings.settled import Settings

Processor = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def processors_of(
    model: Any, batch: Sequence[Job], settings: Settings, mask: torch.Tensor, *, looks: bool = False
) -> Any:
    """The processors of one batch, in order.

    Args:
        model: What generates.
        batch: The rows.
        settings: Of the call.
        mask: Attention mask of the padded prompts, of shape (rows, positions).
        looks: Look at each step whether scores are numbers, and find the layer if not.
    """
    found: list[Processor] = [SoundScores(model, mask)] if looks else []
    pads = [int(count) for count in (mask == 0).sum(dim=1)]
    if settings.repetition_penalty is not None and settings.repetition_penalty != 1:
        penalty = transformers.RepetitionPenaltyLogitsProcessor(float(settings.repetition_penalty))
        found.append(Unpadded(penalty, pads))
    if settings.no_repeat_ngram_size:
        ngrams = transformers.NoRepeatNGramLogitsProcessor(settings.no_repeat_ngram_size)
        found.append(Unpadded(ngrams, pads))
    if settings.sampling:
        found.append(SeededSampling([job.seed or 0 for job in batch], settings, model.device))
    return transformers.LogitsProcessorList(found)


class Unpadded:
    """A processor that is given each row without the padding before it.

    Args:
        inner: Takes ids and scores as transformers' processors do.
        pads: The padding of each row of the batch; with beams the rows of a prompt follow each other.
    """

    def __init__(self, inner: Processor, pads: Sequence[int]) -> None:
        self._inner = inner
        self._pads = pads

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores of shape (rows, vocabulary), processed."""
        each = ids.shape[0] // len(self._pads)
        pads = [count for count in self._pads for _ in range(each)]
        if len(set(pads)) == 1:
            return self._inner(ids[:, pads[0] :], scores)
        done = torch.empty_like(scores)
        for count in set(pads):
            rows = [row for row, padding in enumerate(pads) if padding == count]
            done[rows] = self._inner(ids[rows, count:], scores[rows])
        return done


class SoundScores:
    """Stops at the first step whose scores are no numbers: greedy search would write token 0."""

    def __init__(self, model: Any, mask: torch.Tensor) -> None:
        self._model = model
        self._mask = mask

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores as they came."""
        grown = ids.shape[1] - self._mask.shape[1]
        mask = self._mask.to(ids.device)
        mask = mask.repeat_interleave(ids.shape[0] // mask.shape[0], dim=0)
        mask = torch.nn.functional.pad(mask, (0, grown), value=1)
        inputs = {"input_ids": ids, "attention_mask": mask}
        refuse_broken(self._model, scores, inputs, f"step {grown + 1}")
        return scores
