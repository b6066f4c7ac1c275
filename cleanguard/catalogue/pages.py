"""Where the page of a hazard is: on the site that `CLEANGUARD_DOCS` names, or the one that this version says."""

from __future__ import annotations

import os

from cleanguard.catalogue.hazards import BY_CODE, Hazard
from cleanguard.version import DOCS


def docs() -> str | None:
    """The address of the documentation, with a slash at its end; None where it is published nowhere."""
    address = os.environ.get("CLEANGUARD_DOCS") or DOCS
    return address.rstrip("/") + "/" if address else None


def page_of(code: str) -> str | None:
    """The address of a hazard's page; None where the documentation is published nowhere."""
    site = docs()
    return None if site is None else f"{site}hazards/{code}-{BY_CODE[code].name}/"


def markdown_of(hazard: Hazard) -> str:
    """What a hazard is, why it matters and what to do, for who shows it beside the code."""
    return (
        f"# {hazard.code} {hazard.name}\n\n{hazard.summary}\n\n"
        f"## Why it matters\n\n{hazard.why}\n\n## What to do\n\n{hazard.remedy}\n"
    )
