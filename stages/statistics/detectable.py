"""The minimal detectable effect: the smallest gain that a suite of this size would show."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from stages.statistics._scipy import numpy as np
from stages.statistics._scipy import scipy
from stages.statistics.errors import StatisticsError
from stages.statistics.interval import check_share

_STEPS = 40  # halvings of the search interval
_TAIL = 1e-12  # probability of discordant counts that is left out at each end


@dataclass(frozen=True, slots=True)
class Detectable:
    """The minimal detectable effect of a paired comparison.

    Attributes:
        effect: The least difference of rates that is found with the wanted power, a share; None if
            no difference would be.
        n: Items.
        design_effect: What clustering costs; n / design_effect items count.
        regressions: Share of items assumed to get worse.
        power, alpha: As asked for.
    """

    effect: float | None
    n: int
    design_effect: float
    regressions: float
    power: float
    alpha: float


def minimal_detectable_effect(
    n: int,
    *,
    design_effect: float = 1.0,
    regressions: float = 0.05,
    power: float = 0.8,
    alpha: float = 0.05,
) -> Detectable:
    """The smallest gain that McNemar's exact test finds with the wanted power.

    Formula: the least δ with Σ_m Bin(m; n', δ+2r) · P(reject | m, (δ+r)/(δ+2r)) ≥ power, where r is
    the share of regressions, m the discordant pairs and n' = n / design_effect, rounded down.
    Source: Connor 1987, Biometrics 43 (whose normal approximation is a little too hopeful below 200
    items); Kish 1965 for n'.

    Args:
        n: Items.
        design_effect: As `clusters.design_effect` gives it, from 1.
        regressions: Share of items that get worse although the whole improves.
        power: Chance of finding it.
        alpha: Two-sided level of the test.

    Raises:
        StatisticsError: Sizes or shares that cannot be.
    """
    check_share(power, "power")
    check_share(alpha, "alpha")
    if n < 1 or design_effect < 1 or not 0 <= regressions < 0.5:
        raise StatisticsError(
            f"n={n}, design_effect={design_effect}, regressions={regressions}: n and the design "
            "effect begin at 1, regressions lie below a half"
        )
    effect = _search(max(1, int(n / design_effect)), regressions, power, alpha)
    return Detectable(effect, n, design_effect, regressions, power, alpha)


@lru_cache(maxsize=256)
def _search(size: int, regressions: float, power: float, alpha: float) -> float | None:
    low, high = 0.0, 1 - 2 * regressions
    if paired_power(size, high, regressions, alpha) < power:
        return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if paired_power(size, middle, regressions, alpha) >= power:
            high = middle
        else:
            low = middle
    return high


def paired_power(size: int, effect: float, regressions: float, alpha: float) -> float:
    """The chance that McNemar's exact test rejects, over all numbers of discordant pairs."""
    gains = effect + regressions
    share = gains + regressions
    if share <= 0:
        return 0.0
    binomial = scipy.stats.binom
    first, last = (int(binomial.ppf(q, size, share)) for q in (_TAIL, 1 - _TAIL))
    pairs = np.arange(max(0, first - 1), min(size, last + 1) + 1)
    # Most losses with which the two-sided test still rejects; -1 where even none do not suffice.
    losses = binomial.ppf(alpha / 2, pairs, 0.5)
    losses = np.where(2 * binomial.cdf(losses, pairs, 0.5) <= alpha, losses, losses - 1)
    rejected = np.where(losses >= 0, binomial.cdf(losses, pairs, regressions / share), 0.0)
    return float((binomial.pmf(pairs, size, share) * rejected).sum())
