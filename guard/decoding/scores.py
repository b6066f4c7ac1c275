"""Changes a step's scores before the next token is chosen, in the order that `generate` has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from guard.files.hub import torch, transformers
from guard.prompts.encoding import pad_left
from guard.settings.processors import Unpadded

if TYPE_CHECKING:
    from guard.settings.sampling import SeededSampling
    from guard.settings.settled import Settings

Change = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Scores:
    """The changes that a batch's settings ask for; called with scores of shape (rows, vocabulary)."""

    def __init__(
        self,
        settings: Settings,
        rows: Sequence[Sequence[int]],
        ends: Sequence[int],
        pad: int,
        length: int,
        sampling: SeededSampling | None,
        device: torch.device,
    ) -> None:
        ids, _ = pad_left(rows, pad, length)
        self.penalty = _Penalty(settings.repetition_penalty or 1.0, rows, device)
        self.changes: list[Change] = []
        self.pads = [ids.shape[1] - len(row) for row in rows]
        self.ngrams: Change | None = None
        if settings.no_repeat_ngram_size:
            self.ngrams = transformers.NoRepeatNGramLogitsProcessor(settings.no_repeat_ngram_size)
        if settings.min_new_tokens and ends:
            self.changes.append(
                transformers.MinNewTokensLengthLogitsProcessor(
                    ids.shape[1], settings.min_new_tokens, list(ends), device=str(device)
                )
            )
        self.sampling = sampling
        self.reads = bool(self.changes or self.ngrams)
        self.ids = ids.to(device) if self.reads else ids[:, :0].to(device)

    @staticmethod
    def wanted(settings: Settings) -> bool:
        """Whether the settings change any score."""
        penalty = settings.repetition_penalty not in (None, 1.0)
        return bool(
            penalty or settings.no_repeat_ngram_size or settings.min_new_tokens or settings.sampling
        )

    def __call__(self, scores: torch.Tensor) -> torch.Tensor:
        """The scores to choose the greatest of."""
        scores = self.penalty(scores)
        for change in self.changes:
            scores = change(self.ids, scores)
        if self.ngrams is not None:
            scores = Unpadded(self.ngrams, self.pads)(self.ids, scores)
        return scores if self.sampling is None else self.sampling(self.ids, scores)

    def took(self, chosen: torch.Tensor) -> None:
        """Learn what was chosen, of shape (rows, 1)."""
        self.penalty.took(chosen)
        if self.reads:
            self.ids = torch.cat([self.ids, chosen], 1)

    def keep(self, places: list[int]) -> None:
        """Go on with some rows."""
        at = torch.tensor(places, device=self.ids.device)
        self.ids = self.ids.index_select(0, at)
        self.pads = [self.pads[place] for place in places]
        self.penalty.keep(at)
        if self.sampling is not None:
            self.sampling.keep(places)


class _Penalty:
    """The repetition penalty over a row's own tokens: padding is none, whatever id it has."""

    def __init__(self, penalty: float, rows: Sequence[Sequence[int]], device: torch.device) -> None:
        self.penalty = penalty
        self.seen: torch.Tensor | None = None
        self.pending: torch.Tensor | None = None
        if penalty != 1.0:
            longest = max(map(len, rows))
            own = [[row[0]] * (longest - len(row)) + list(row) for row in rows]
            self.pending = torch.tensor(own, device=device)

    def __call__(self, scores: torch.Tensor) -> torch.Tensor:
        if self.pending is None:
            return scores
        if self.seen is None:
            self.seen = torch.zeros(scores.shape, dtype=torch.bool, device=scores.device)
        self.seen.scatter_(1, self.pending, True)
        less = torch.where(scores < 0, scores * self.penalty, scores / self.penalty)
        return torch.where(self.seen, less, scores)

    def took(self, chosen: torch.Tensor) -> None:
        if self.pending is not None:
            self.pending = chosen

    def keep(self, at: torch.Tensor) -> None:
        if self.pending is not None and self.seen is not None:
            self.seen = self.seen.index_select(0, at)
            self.pending = self.pending.index_select(0, at)
