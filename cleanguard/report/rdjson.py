"""Findings as Reviewdog's diagnostic format."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cleanguard.catalogue.findings import Finding, Position
from cleanguard.catalogue.fingerprints import Sources
from cleanguard.catalogue.pages import page_of
from cleanguard.report.places import from_root


def render(findings: Sequence[Finding], sources: Sources) -> str:
    """One object; columns count bytes, as that format wants them."""
    diagnostics = [_diagnostic(finding, sources(finding)) for finding in findings]
    whole = {"source": {"name": "cleanguard"}, "diagnostics": diagnostics}
    return json.dumps(whole, indent=2) + "\n"


def _diagnostic(finding: Finding, lines: Sequence[str]) -> dict[str, Any]:
    # The columns of a notebook's file stand in ASCII as good as always; its lines are not asked for.
    known = () if finding.in_file else lines
    diagnostic: dict[str, Any] = {
        "message": finding.told,
        "severity": finding.severity.upper(),
        "code": {"value": finding.code},
        "location": {
            "path": from_root(finding.filename),
            "range": _range(finding.shown, finding.shown_end, known),
        },
    }
    page = page_of(finding.code)
    if page:
        diagnostic["code"]["url"] = page
    if finding.fix and finding.fix.changes:
        diagnostic["suggestions"] = [
            {"range": _range(change.start, change.end, lines), "text": change.text}
            for change in finding.fix.changes
        ]
    return diagnostic


def _range(start: Position, end: Position, lines: Sequence[str]) -> dict[str, Any]:
    return {"start": _position(start, lines), "end": _position(end, lines)}


def _position(position: Position, lines: Sequence[str]) -> dict[str, int]:
    line = lines[position.row - 1] if 1 <= position.row <= len(lines) else ""
    before = line[: position.column - 1]
    extra = len(before.encode(errors="replace")) - len(before)
    return {"line": position.row, "column": position.column + extra}
