"""Findings as a JSON list, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cleanguard.catalogue.findings import Change, Finding, Position, Traced


def render(findings: Sequence[Finding]) -> str:
    """The findings as JSON text, pure ASCII, with a closing newline."""
    return json.dumps([as_object(finding) for finding in findings], indent=2) + "\n"


def as_object(finding: Finding) -> dict[str, Any]:
    """One finding with exactly the keys that the documentation promises; `trace` where one was read."""
    fix = finding.fix
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "filename": finding.filename,
        "location": _position(finding.location),
        "end_location": _position(finding.end_location),
        "message": finding.message,
        "remedy": finding.remedy,
        "fix": fix
        and {
            "applicability": fix.applicability,
            "message": fix.message,
            "edits": [_change(change) for change in fix.changes],
        },
        **({"trace": _traced(finding.traced)} if finding.traced else {}),
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "content": change.text,
        "location": _position(change.start),
        "end_location": _position(change.end),
    }


def _traced(traced: Traced) -> dict[str, Any]:
    return {"status": traced.status, "count": traced.count, "message": traced.message}


def _position(position: Position) -> dict[str, int]:
    place = {"row": position.row, "column": position.column}
    return {"cell": position.cell, **place} if position.cell else place
