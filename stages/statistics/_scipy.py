"""The door to numpy and scipy: a missing one is told in a sentence that names the extra."""

from __future__ import annotations

from cleanguard.installing import install
from guard.errors import MissingExtraError

try:
    import numpy
    import scipy.optimize
    import scipy.stats
except ImportError as error:
    raise MissingExtraError(
        f"{error.name or 'scipy'} is not installed", remedy=install("stats")
    ) from error

__all__ = ["numpy", "scipy"]
