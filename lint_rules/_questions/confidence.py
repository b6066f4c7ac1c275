"""How sure a finding is that rests on several values."""

from __future__ import annotations

from cleanguard.catalogue.findings import Confidence

_RANK: dict[Confidence, int] = {"followed": 0, "annotated": 1, "named": 2}


def weakest(*known: Confidence) -> Confidence:
    """The least sure of several."""
    return max(known, key=_RANK.__getitem__)
