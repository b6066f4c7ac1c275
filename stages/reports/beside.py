"""What lies beside a run and belongs in its report: training data, and the session's gate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cleanguard.errors import JobError
from cleanguard.hazards import TRAIN_TEST_OVERLAP
from stages.jsonl import read_lines
from stages.reports.model import Overlap
from stages.suites.item import Suite


def overlap_with(suite: Suite, files: Sequence[Path]) -> Overlap:
    """How many of a suite's items stand in training files.

    Raises:
        JobError: A file cannot be read as JSON lines.
    """
    known: set[str] = set()
    for path in files:
        for record in read_lines(path, {}):
            texts = (record.get("instruction"), record.get("prompt"))
            known |= {_plain(text) for text in texts if isinstance(text, str)}
    found = [item.prompt for item in suite.items if _plain(item.prompt) in known]
    return Overlap(
        len(suite.items), tuple(str(path) for path in files), len(found), tuple(found[:10])
    )


def _plain(text: str) -> str:
    """A request without its format, case and spacing."""
    _, _, after = text.rpartition("Instruction: ")
    return " ".join(after.split("\nResponse:")[0].casefold().split())


def overlap_words(found: Overlap) -> str:
    """The overlap as a warning."""
    return (
        f"{TRAIN_TEST_OVERLAP.code} {TRAIN_TEST_OVERLAP.name}: {found.count} of {found.checked} items stand in the "
        f"training data, the first is {found.items[0]!r}"
    )


def session_gate(path: Path) -> dict[str, Any]:
    """What `cleanguard gate` wrote.

    Raises:
        JobError: It cannot be read, or is no JSON object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise JobError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(found, Mapping):
        raise JobError(f"{path}: expected a JSON object, as `cleanguard gate` writes it")
    return dict(found)
