"""Findings as a GitLab code quality report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cleanguard.catalogue.findings import Finding, Position
from cleanguard.catalogue.fingerprints import Sources, fingerprints
from cleanguard.report.places import from_root

_SEVERITY = {"error": "major", "warning": "minor"}


def render(findings: Sequence[Finding], sources: Sources) -> str:
    """A JSON list of issues; a finding keeps its fingerprint when lines move."""
    marks = fingerprints(findings, sources)
    issues = [_issue(finding, mark) for finding, mark in zip(findings, marks, strict=True)]
    return json.dumps(issues, indent=2) + "\n"


def _issue(finding: Finding, fingerprint: str) -> dict[str, Any]:
    return {
        "type": "issue",
        "check_name": finding.code,
        "description": f"{finding.code} {finding.told}",
        "categories": ["Bug Risk"],
        "severity": _SEVERITY[finding.severity],
        "fingerprint": fingerprint,
        "location": {
            "path": from_root(finding.filename, "gitlab"),
            "positions": {
                "begin": _position(finding.shown),
                "end": _position(finding.shown_end),
            },
        },
    }


def _position(position: Position) -> dict[str, int]:
    return {"line": position.row, "column": position.column}
