"""How often each hazard was found."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from cleanguard.catalogue.findings import Finding
from cleanguard.catalogue.hazards import BY_CODE
from cleanguard.report.styled import Line, Span


def lines(findings: Sequence[Finding]) -> list[Line]:
    """A line for each code, the most frequent first."""
    counted = _counted(findings)
    width = max((len(str(number)) for _, number in counted), default=0)
    return [
        [Span(f"{number:>{width}} "), Span(f"{code} ", "bold red"), Span(BY_CODE[code].name)]
        for code, number in counted
    ]


def as_json(findings: Sequence[Finding]) -> str:
    """The same as a JSON list."""
    entries = [
        {"code": code, "name": BY_CODE[code].name, "count": number}
        for code, number in _counted(findings)
    ]
    return json.dumps(entries, indent=2) + "\n"


def _counted(findings: Sequence[Finding]) -> list[tuple[str, int]]:
    counts = Counter(finding.code for finding in findings)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
