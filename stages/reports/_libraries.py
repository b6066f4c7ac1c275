"""The door to matplotlib, jinja2 and markupsafe: a missing one is told in a sentence that names the extra."""

from __future__ import annotations

from cleanguard.installing import install
from guard.errors import MissingExtraError

try:
    import jinja2
    import markupsafe
    import matplotlib
    from matplotlib.figure import Figure
except ImportError as error:
    raise MissingExtraError(
        f"{error.name or 'matplotlib'} is not installed", remedy=install("stats")
    ) from error

# Names of models, slices and items are text; matplotlib would read "$" in them as formulas.
matplotlib.rcParams["text.parse_math"] = False

__all__ = ["Figure", "jinja2", "markupsafe", "matplotlib"]
