"""Findings in pylint's text format, which many editors and CI parsers read."""

from __future__ import annotations

from collections.abc import Sequence

from cleanguard.catalogue.findings import Finding
from cleanguard.report.escaping import printable


def render(findings: Sequence[Finding]) -> str:
    """`path:line: [CODE] message`, one line for each finding."""
    return "".join(
        f"{printable(finding.filename)}:{finding.shown.row}: [{finding.code}] "
        f"{printable(finding.told)}\n"
        for finding in findings
    )
