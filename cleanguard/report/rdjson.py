"""Findings as Reviewdog's diagnostic format."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cleanguard.catalogue.findings import Finding, Position
from cleanguard.catalogue.fingerprints import Sources


def render(findings: Sequence[Finding], sources: Sources) -> str:
    """One object; columns count bytes, as that format wants them."""
    diagnostics = [_diagnostic(finding, sources(finding)) for finding in findings]
    whole = {"source": {"name": "cleanguard"}, "diagnostics": diagnostics}
    return json.dumps(whole, indent=2) + "\n"


def _diagnostic(finding: Finding, lines: Sequence[str]) -> dict[str, Any]:
    return {
        "message": f"{finding.message}; {finding.remedy}",
        "severity": finding.severity.upper(),
        "code": {"value": finding.code},
        "location": {
            "path": finding.filename,
            "range": {
                "start": _position(finding.location, lines),
                "end": _position(finding.end_location, lines),
            },
        },
    }


def _position(position: Position, lines: Sequence[str]) -> dict[str, int]:
    line = lines[position.row - 1] if 1 <= position.row <= len(lines) else ""
    before = line[: position.column - 1]
    extra = len(before.encode(errors="replace")) - len(before)
    return {"line": position.row, "column": position.column + extra}
