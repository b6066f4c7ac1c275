"""Findings as SARIF 2.1.0, which code scanning services read."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cleanguard.catalogue.findings import Finding, Position
from cleanguard.catalogue.fingerprints import Sources, fingerprints
from cleanguard.catalogue.hazards import BY_CODE, Hazard
from cleanguard.catalogue.pages import docs, markdown_of, page_of
from cleanguard.report.places import from_root
from cleanguard.version import VERSION

# Results of a run that GitHub's code scanning takes.
LIMIT = 25_000
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
                **({"informationUri": site} if (site := docs()) else {}),
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
        **({"helpUri": page} if (page := page_of(hazard.code)) else {}),
        "help": {"text": hazard.remedy, "markdown": markdown_of(hazard)},
        "defaultConfiguration": {"level": hazard.severity, "enabled": hazard.default},
    }


def _result(finding: Finding, rule: int, fingerprint: str) -> dict[str, Any]:
    artifact = {"uri": _uri(finding.filename)}
    physical: dict[str, Any] = {"artifactLocation": artifact}
    if finding.is_placed:
        physical["region"] = _region(finding.shown, finding.shown_end)
    location: dict[str, Any] = {"physicalLocation": physical}
    if finding.location.cell:
        name = f"cell {finding.location.cell}"
        location["logicalLocations"] = [{"name": name, "kind": "cell"}]
    fix = finding.fix
    fixes = (
        []
        if not (fix and fix.changes)
        else [
            {
                "description": {"text": fix.message},
                "artifactChanges": [
                    {
                        "artifactLocation": artifact,
                        "replacements": [
                            {
                                "deletedRegion": _region(change.start, change.end),
                                "insertedContent": {"text": change.text},
                            }
                            for change in fix.changes
                        ],
                    }
                ],
            }
        ]
    )
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": finding.severity,
        "message": {"text": finding.told},
        "locations": [location],
        "partialFingerprints": {"cleanguard/v1": fingerprint},
        "properties": {"confidence": finding.confidence},
        **({"fixes": fixes} if fixes else {}),
    }


def _region(start: Position, end: Position) -> dict[str, int]:
    return {
        "startLine": start.row,
        "startColumn": start.column,
        "endLine": end.row,
        "endColumn": end.column,
    }


def cut(findings: Sequence[Finding]) -> str | None:
    """What GitHub will not take of such a file, in one sentence; None where it takes all."""
    if len(findings) <= LIMIT:
        return None
    found = f"{len(findings):,}"
    return (
        f"GitHub takes {LIMIT:,} results of a run and refuses a file with {found}; "
        "select fewer codes or paths"
    )


def _uri(filename: str) -> str:
    path = Path(from_root(filename, "github", "gitlab", "azure"))
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))
