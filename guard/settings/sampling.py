"""Sampling with a seed per record: a text does not depend on its batch, the order, or a resume.

Greedy over the logits plus Gumbel noise draws from the softmax; the noise of each row comes from a
generator of its own, seeded by the run's seed, the prompt's ids and the sample's number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from guard.files.hub import torch, transformers

if TYPE_CHECKING:
    from guard.settings.settled import Settings

# No score of a model is so large that it overflows a float32 from this temperature on.
_SAFE = 1e-6
_TINY = 1.2e-38  # about the smallest normal float32


def record_seed(seed: int, row: Sequence[int], number: int) -> int:
    """The 48-bit seed of one text: from the run's seed, the prompt's ids, the sample's number."""
    named = f"{seed}|{number}|{','.join(map(str, row))}"
    return int.from_bytes(hashlib.sha256(named.encode()).digest()[:6], "big")


class SeededSampling:
    """A logits processor that makes greedy search draw; called with (ids, scores) at each step."""

    def __init__(
        self, seeds: Sequence[int], settings: Settings, device: str | torch.device
    ) -> None:
        self._generators = [torch.Generator(device=device).manual_seed(seed) for seed in seeds]
        self._temperature = settings.temperature
        cuts = []
        if settings.top_k is not None:
            cuts.append(transformers.TopKLogitsWarper(settings.top_k))
        if settings.top_p is not None and settings.top_p < 1:
            cuts.append(transformers.TopPLogitsWarper(settings.top_p))
        if settings.min_p is not None:
            cuts.append(transformers.MinPLogitsWarper(settings.min_p))
        self._cuts = cuts

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores of shape (rows, vocabulary): divided by the temperature, cut, noise added."""
        scores = _divided(scores.float(), self._temperature)
        for cut in self._cuts:
            scores = cut(ids, scores)
        noise = torch.stack(
            [torch.rand(scores.shape[-1], generator=g, device=g.device) for g in self._generators]
        ).to(scores.device)
        return scores - torch.log(-torch.log(noise.clamp_(1e-20, 1 - 1e-7)))

    def keep(self, places: Sequence[int]) -> None:
        """Go on with some rows; each draws on from where it is."""
        self._generators = [self._generators[place] for place in places]


def _divided(scores: torch.Tensor, temperature: float) -> torch.Tensor:
    """Scores by the temperature; a row that would overflow is counted from its best one first."""
    divided = scores / temperature
    if temperature >= _SAFE:
        return divided
    best = scores.amax(-1, keepdim=True)
    overflows = best.isfinite() & ~divided.amax(-1, keepdim=True).isfinite()
    # A quotient of 0 / 0 is the best score's own: as a float32 the temperature may be 0.
    apart = scores - best
    shifted = torch.where(apart == 0, apart, apart / max(temperature, _TINY))
    return torch.where(overflows, shifted, divided)
