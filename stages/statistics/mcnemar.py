"""McNemar's exact test on discordant pairs."""

from __future__ import annotations

from stages.statistics._scipy import scipy
from stages.statistics.errors import StatisticsError


def mcnemar(gained: int, lost: int) -> float:
    """The two-sided p value that gains and losses are equally likely.

    Formula: the binomial test of `gained` out of `gained + lost` at 1/2; 1 without discordant pairs.
    Source: McNemar 1947, Psychometrika 12; the exact form: Mosteller 1952. It takes items as
    independent: with clusters of 4 and a correlation of .8 it rejects a true null hypothesis in
    about a quarter of cases instead of 5%, so `clustered_t` decides, and this one is shown beside it.

    Raises:
        StatisticsError: A count is negative.
    """
    if gained < 0 or lost < 0:
        raise StatisticsError(f"{gained} gained and {lost} lost are no counts")
    if gained + lost == 0:
        return 1.0
    return float(scipy.stats.binomtest(gained, gained + lost).pvalue)
