"""Findings as SARIF 2.1.0, which code scanning services read."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cleanguard.catalogue.findings import Finding
from cleanguard.catalogue.fingerprints import Sources, fingerprints
from cleanguard.catalogue.hazards import BY_CODE, Hazard
from cleanguard.version import VERSION

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(findings: Sequence[Finding], sources: Sources) -> str:
    """One run, with the rules that reported something."""
    codes = sorted({finding.code for finding in findings})
    marks = fingerprints(findings, sources)
    run = {
        "tool": {
            "driver": {
                "name": "cleanguard",
                "semanticVersion": VERSION,
                "rules": [_rule(BY_CODE[code]) for code in codes],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(finding, codes.index(finding.code), mark)
            for finding, mark in zip(findings, marks, strict=True)
        ],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(hazard: Hazard) -> dict[str, Any]:
    return {
        "id": hazard.code,
        "name": hazard.name,
        "shortDescription": {"text": hazard.summary},
        "fullDescription": {"text": hazard.why},
        "help": {"text": hazard.remedy},
        "defaultConfiguration": {"level": hazard.severity, "enabled": hazard.default},
    }


def _result(finding: Finding, rule: int, fingerprint: str) -> dict[str, Any]:
    start, end = finding.location, finding.end_location
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(finding.filename)}}
    location: dict[str, Any] = {"physicalLocation": physical}
    said = f"{finding.message}; {finding.remedy}"
    if start.cell:  # a line of a notebook's cell is no line of its file
        location["logicalLocations"] = [{"name": f"cell {start.cell}", "kind": "cell"}]
        said = f"{start}: {said}"
    else:
        physical["region"] = {
            "startLine": start.row,
            "startColumn": start.column,
            "endLine": end.row,
            "endColumn": end.column,
        }
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": finding.severity,
        "message": {"text": said},
        "locations": [location],
        "partialFingerprints": {"cleanguard/v1": fingerprint},
        "properties": {"confidence": finding.confidence},
    }


def _uri(filename: str) -> str:
    path = Path(filename)
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))
