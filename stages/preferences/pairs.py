"""Chooses pairs among judged answers; pure functions, so that every rule can be shown by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stages.text import normalised


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer and its score: 1 or 0 by a verifier, else the mean log-probability per token.

    Attributes:
        text: As the model wrote it, or as it stands in the file.
        score: Higher is better.
        origin: `sampled` or `file`.
    """

    text: str
    score: float
    origin: str = "sampled"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to one prompt, the first of which is better by at least the margin."""

    chosen: Judged
    rejected: Judged

    @property
    def margin(self) -> float:
        """How much better the chosen one scored; negative if it is worse."""
        return self.chosen.score - self.rejected.score


def usable(texts: Sequence[tuple[str, bool]]) -> list[str]:
    """The distinct answers among (text, finished) that ended by themselves and say something."""
    kept: dict[str, str] = {}
    for text, finished in texts:
        if finished and text.strip():
            kept.setdefault(normalised(text), text)
    return list(kept.values())


def pairs_of(
    samples: Sequence[Judged],
    negatives: Sequence[Judged],
    *,
    right_from: float | None,
    min_margin: float,
    max_pairs: int,
) -> list[Pair]:
    """The pairs of one prompt: the best sample against answers that are worse by the margin.

    Args:
        samples: In the order in which they were drawn, distinct.
        negatives: Rejected answers from elsewhere; empty to take them from the samples.
        right_from: The least score that a chosen answer may have; None for any.
        min_margin: The least signed margin.
        max_pairs: Most pairs.
    """
    good = [one for one in samples if right_from is None or one.score >= right_from]
    if not good:
        return []
    chosen = max(good, key=lambda one: one.score)  # the first drawn of equals
    pool = [one for one in negatives or samples if normalised(one.text) != normalised(chosen.text)]
    pairs = [Pair(chosen, rejected) for rejected in pool]
    pairs = [pair for pair in pairs if pair.margin >= min_margin and pair.margin > 0]
    return sorted(pairs, key=lambda pair: -pair.margin)[:max_pairs]
