"""Findings as a Markdown table, for a comment or a job summary."""

from __future__ import annotations

from collections.abc import Sequence

from cleanguard.catalogue.findings import Finding
from cleanguard.report.counting import counted
from cleanguard.report.escaping import code_for_markdown, for_markdown


def render(findings: Sequence[Finding]) -> str:
    """A heading, and a row for each finding."""
    if not findings:
        return "**cleanguard**: no hazards found\n"
    errors = sum(finding.severity == "error" for finding in findings)
    head = f"**cleanguard**: {counted(errors, 'error')}, {counted(len(findings) - errors, 'warning')}\n"
    rows = "".join(_row(finding) for finding in findings)
    return f"{head}\n| place | hazard | what | remedy |\n|---|---|---|---|\n{rows}"


def _row(finding: Finding) -> str:
    at = finding.location
    place = code_for_markdown(f"{finding.filename}:{at}")
    hazard = f"{finding.severity} {finding.code} {finding.name}"
    return f"| {place} | {hazard} | {for_markdown(finding.message)} | {for_markdown(finding.remedy)} |\n"
