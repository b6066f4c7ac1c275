"""What a trained adapter says of itself, in the file beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LINEAGE = "lineage.json"


def lineage_of(adapter: Path) -> dict[str, Any] | None:
    """The lineage of an adapter; None if it has none."""
    try:
        found = json.loads((adapter / LINEAGE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
