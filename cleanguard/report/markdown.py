"""Findings as a Markdown table, for a comment or a job summary."""

from __future__ import annotations

from collections.abc import Sequence

from cleanguard.catalogue.findings import Finding
from cleanguard.report.styled import printable


def render(findings: Sequence[Finding]) -> str:
    """A heading, and a row for each finding."""
    if not findings:
        return "**cleanguard**: no hazards found\n"
    errors = sum(finding.severity == "error" for finding in findings)
    head = f"**cleanguard**: {errors} errors, {len(findings) - errors} warnings\n"
    rows = "".join(_row(finding) for finding in findings)
    return f"{head}\n| place | hazard | what | remedy |\n|---|---|---|---|\n{rows}"


def _row(finding: Finding) -> str:
    at = finding.location
    place = f"`{_cell(finding.filename)}:{at}`"
    hazard = f"{finding.severity} {finding.code} {finding.name}"
    return f"| {place} | {hazard} | {_cell(finding.message)} | {_cell(finding.remedy)} |\n"


def _cell(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace("|", "\\|")
