"""Refuses to run when somebody else's `guard` or `stages` stands where cleanguard's own should."""

from __future__ import annotations

from cleanguard.errors import JobError
from cleanguard.packages import PACKAGES, stranger


def refuse_strangers() -> None:
    """Compare where each package would be imported from with where cleanguard itself lies.

    Raises:
        JobError: One comes from elsewhere, or is missing.
    """
    for package in PACKAGES:
        said = stranger(package)
        if said is not None:
            raise JobError(said)
