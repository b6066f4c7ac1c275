"""Refuses to run when somebody else's `guard` or `stages` stands where cleanguard's own should.

The top-level names are common words: a user's `guard.py` on PYTHONPATH would be imported instead, and
a check or a load would then run somebody else's code, or none.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from cleanguard.errors import JobError

PACKAGES = ("guard", "lint_rules", "codemods", "stages")


def refuse_strangers() -> None:
    """Compare where each package would be imported from with where cleanguard itself lies.

    Raises:
        JobError: One comes from elsewhere, or is missing.
    """
    home = Path(__file__).resolve().parents[2]
    for package in PACKAGES:
        spec = find_spec(package)
        if spec is None:
            raise JobError(
                f"the package `{package}` is missing from {home}; install cleanguard again"
            )
        origin = Path(spec.origin).resolve() if spec.origin else None
        if origin != home / package / "__init__.py":
            stranger = origin or ", ".join(spec.submodule_search_locations or ["somewhere unknown"])
            raise JobError(
                f"`{package}` would be imported from {stranger}, which hides cleanguard's own in {home} "
                "(CG603 shadowed-guard); rename it, or take its folder off PYTHONPATH"
            )
