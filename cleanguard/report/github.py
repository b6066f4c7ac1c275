"""Findings as workflow commands, which GitHub shows beside the changed lines."""

from __future__ import annotations

from collections.abc import Sequence

from cleanguard.catalogue.findings import Finding
from cleanguard.report.escaping import printable


def render(findings: Sequence[Finding]) -> str:
    """One `::error …::` or `::warning …::` line for each finding."""
    return "".join(_command(finding) + "\n" for finding in findings)


def _command(finding: Finding) -> str:
    start, end = finding.location, finding.end_location
    properties: dict[str, object] = {
        "title": f"cleanguard ({finding.code})",
        "file": finding.filename,
    }
    if not start.cell:  # a line of a notebook's cell is no line of its file
        properties |= {
            "line": start.row,
            "col": start.column,
            "endLine": end.row,
            "endColumn": end.column,
        }
    shown = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    place = f"{finding.filename}:{start}"
    text = f"{place}: {finding.code} {finding.message}; {finding.remedy}"
    return f"::{finding.severity} {shown}::{_data(text)}"


def _data(text: str) -> str:
    spelt = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return printable(spelt).replace("##[", "#\\x23[")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
