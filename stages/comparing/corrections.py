"""Corrects the p values of a family, by the name of the method."""

from __future__ import annotations

from collections.abc import Sequence

from stages.comparing.plan import Correction
from stages.statistics.benjamini_hochberg import benjamini_hochberg
from stages.statistics.holm import holm


def corrected(p_values: Sequence[float], correction: Correction) -> Sequence[float]:
    """Adjusted p values in the order given; as they are for `none`."""
    if correction == "none":
        return p_values
    return holm(p_values) if correction == "holm" else benjamini_hochberg(p_values)
