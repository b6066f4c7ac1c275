"""What lies beside a run and belongs in its report: training data, and the session's gate."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from cleanguard.catalogue.hazards import TRAIN_TEST_OVERLAP
from cleanguard.errors import JobError
from guard.provenance.record import Provenance
from stages.containment import containing
from stages.jsonl import read_lines
from stages.reports.model import GateCheck, Overlap, SessionGate
from stages.suites.item import Suite
from stages.text import normalised


def overlap_with(suite: Suite, files: Sequence[Path]) -> Overlap:
    """How many of a suite's items stand in training files: as a row, within one, or around one.

    Raises:
        JobError: A file cannot be read as JSON lines.
    """
    rows: set[str] = set()
    for path in files:
        for record in read_lines(path, {}):
            texts = (record.get(name) for name in _TEXTS)
            rows |= {_plain(text) for text in texts if isinstance(text, str)}
    asked = {_plain(item.prompt): item.prompt for item in suite.items}
    held = set(containing(asked, rows)) | (asked.keys() & rows)
    found = [item.prompt for item in suite.items if _plain(item.prompt) in held]
    return Overlap(
        len(suite.items), tuple(str(path) for path in files), len(found), tuple(found[:10])
    )


_TEXTS = ("instruction", "prompt", "text", "completion")


def _plain(text: str) -> str:
    """A request without its format, case, spacing and what cannot be seen."""
    _, _, after = text.rpartition("Instruction: ")
    return normalised(after.split("\nResponse:")[0])


def overlap_words(found: Overlap) -> str:
    """The overlap as a warning."""
    return (
        f"{TRAIN_TEST_OVERLAP.code} {TRAIN_TEST_OVERLAP.name}: {found.count} of {found.checked} items stand in the "
        f"training data, the first is {found.items[0]!r}"
    )


def session_gate(path: Path, folder: Path | None = None) -> SessionGate:
    """What `cleanguard gate` wrote.

    Args:
        path: The gate.json.
        folder: Where the report lies, for the link; as it is if None.

    Raises:
        JobError: It cannot be read, or was not written by `cleanguard gate`.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise JobError(f"{path}: there is no such file") from None
    except (OSError, ValueError, RecursionError) as error:
        raise JobError(f"{path}: cannot be read as JSON: {error}") from None
    try:
        model = found["model"] or {}
        return SessionGate(
            go=bool(found["go"]),
            created=str(found["created"]),
            checks=tuple(
                GateCheck(str(one["name"]), str(one["verdict"]), str(one["detail"]))
                for one in found["checks"]
            ),
            weights=((model.get("model") or {}).get("weights") or {}).get("digest"),
            link=linked(path, folder),
        )
    except (KeyError, TypeError, AttributeError):
        raise JobError(f"{path}: not what `cleanguard gate` writes; run it again") from None


def gate_words(gate: SessionGate, source: Provenance) -> str | None:
    """A warning if the gate did not open, or did so for other weights than were loaded."""
    if not gate.go:
        failed = ", ".join(one.name for one in gate.checks if one.verdict == "fail")
        return f"the session's gate said no-go ({failed or 'no check failed'})"
    weights = source.model.weights
    if weights is None or gate.weights in (None, weights.digest):
        return None
    return "the session's gate was passed with another model"


def linked(path: Path, folder: Path | None) -> Path:
    """A path as a report in a folder links to it."""
    if folder is None:
        return path
    return Path(os.path.relpath(path.resolve(), folder.resolve()))
