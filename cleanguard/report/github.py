"""Findings as workflow commands, which GitHub shows beside the changed lines."""

from __future__ import annotations

from collections.abc import Sequence

from cleanguard.catalogue.findings import Finding
from cleanguard.report.counting import counted
from cleanguard.report.escaping import printable
from cleanguard.report.places import from_root

# Annotations of one kind that GitHub keeps of one step.
LIMIT = 10


def render(findings: Sequence[Finding]) -> str:
    """One `::error …::` or `::warning …::` line for each finding."""
    return "".join(_command(finding) + "\n" for finding in findings)


def cut(findings: Sequence[Finding]) -> str | None:
    """What GitHub will not show beside the lines, in one sentence; None where it shows all."""
    kinds = {
        severity: sum(f.severity == severity for f in findings) for severity in ("error", "warning")
    }
    over = [counted(number - LIMIT, kind) for kind, number in kinds.items() if number > LIMIT]
    if not over:
        return None
    are = "is" if len(over) == 1 and over[0].startswith("1 ") else "are"
    return (
        f"GitHub shows {LIMIT} errors and {LIMIT} warnings of a step; {' and '.join(over)} more {are} in "
        "the log only (--output-format sarif, uploaded, shows 25,000)"
    )


def _command(finding: Finding) -> str:
    start, end = finding.shown, finding.shown_end
    properties: dict[str, object] = {
        "title": f"cleanguard ({finding.code})",
        "file": from_root(finding.filename, "github"),
    }
    if finding.is_placed:
        properties |= {
            "line": start.row,
            "col": start.column,
            "endLine": end.row,
            "endColumn": end.column,
        }
    shown = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    place = f"{finding.filename}:{finding.location}"
    text = f"{place}: {finding.code} {finding.message}; {finding.remedy}"
    return f"::{finding.severity} {shown}::{_data(text)}"


def _data(text: str) -> str:
    spelt = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return printable(spelt).replace("##[", "#\\x23[")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
