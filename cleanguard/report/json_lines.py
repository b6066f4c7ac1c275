"""Findings as JSON objects, one on each line, for programs that read as they go."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cleanguard.catalogue.findings import Finding
from cleanguard.report.json import as_object


def render(findings: Sequence[Finding]) -> str:
    """One line for each finding, with the keys of the JSON format."""
    return "".join(json.dumps(as_object(finding)) + "\n" for finding in findings)
