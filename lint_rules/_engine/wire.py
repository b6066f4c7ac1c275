"""Findings as plain lists, for other processes and for the cache."""

from __future__ import annotations

from typing import Any

from cleanguard.catalogue.findings import Finding, Fix, Position
from cleanguard.catalogue.hazards import BY_CODE
from cleanguard.editing.edits import Edit

Plain = list[Any]


def to_plain(finding: Finding) -> Plain:
    """A finding without its file name, which differs by the folder that a command is called in."""
    fix = finding.fix
    return [
        finding.code,
        finding.severity,
        finding.confidence,
        _place(finding.location),
        _place(finding.end_location),
        finding.message,
        finding.remedy,
        fix and [fix.applicability, fix.message, [[e.start, e.end, e.text] for e in fix.edits]],
    ]


def from_plain(plain: Plain, filename: str) -> Finding:
    """The finding that `to_plain` was given, under a file name."""
    code, severity, confidence, start, end, message, remedy, fix = plain
    return Finding(
        hazard=BY_CODE[code],
        severity=severity,
        confidence=confidence,
        filename=filename,
        location=Position(*start),
        end_location=Position(*end),
        message=message,
        remedy=remedy,
        fix=fix and Fix(fix[0], fix[1], tuple(Edit(*edit) for edit in fix[2])),
    )


def _place(position: Position) -> Plain:
    return [position.row, position.column, position.cell]
