"""pass@k: the chance that at least one of k samples passes."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

from stages.statistics.errors import StatisticsError


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """The unbiased estimate for one item.

    Formula: 1 - C(n-c, k) / C(n, k) with n samples of which c passed. Source: Chen et al. 2021,
    "Evaluating Large Language Models Trained on Code", eq. 1. (1 - (1 - c/n)^k is biased.)

    Raises:
        StatisticsError: Counts that cannot be, or k above the number of samples.
    """
    if not 0 <= passed <= samples or not 1 <= k <= samples:
        raise StatisticsError(f"pass@{k} from {passed} of {samples} samples")
    return 1 - comb(samples - passed, k) / comb(samples, k)


def mean_pass_at_k(counts: Sequence[tuple[int, int]], k: int) -> float:
    """The mean of `pass_at_k` over items, each as (samples, passed).

    Raises:
        StatisticsError: There are no items, or as `pass_at_k`.
    """
    if not counts:
        raise StatisticsError("no items")
    return sum(pass_at_k(samples, passed, k) for samples, passed in counts) / len(counts)
