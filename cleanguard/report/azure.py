"""Findings as logging commands of Azure Pipelines, which it shows beside the build."""

from __future__ import annotations

from collections.abc import Sequence

from cleanguard.catalogue.findings import Finding
from cleanguard.report.escaping import printable
from cleanguard.report.places import from_root


def render(findings: Sequence[Finding]) -> str:
    """One `##vso[task.logissue …]` line for each finding."""
    return "".join(_command(finding) + "\n" for finding in findings)


def _command(finding: Finding) -> str:
    place = finding.shown
    properties = {
        "type": finding.severity,
        "sourcepath": printable(from_root(finding.filename, "azure")),
        "linenumber": str(place.row),
        "columnnumber": str(place.column),
        "code": finding.code,
    }
    shown = "".join(f"{key}={_escaped(value)};" for key, value in properties.items())
    return f"##vso[task.logissue {shown}]{_data(finding.told)}"


def _data(text: str) -> str:
    return text.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped(text: str) -> str:
    return _data(text).replace(";", "%3B").replace("]", "%5D")
