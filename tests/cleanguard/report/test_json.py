"""The JSON report has exactly the promised keys."""

from __future__ import annotations

import json

from cleanguard.catalogue.findings import Finding, Fix, Position
from cleanguard.catalogue.hazards import RAW_GENERATE
from cleanguard.report import json as report


def finding(fix: Fix | None) -> Finding:
    return Finding(
        hazard=RAW_GENERATE,
        severity="error",
        confidence="followed",
        filename="src/naïve.py",
        location=Position(3, 5),
        end_location=Position(4, 1),
        message="generate by hand",
        remedy="call the loader",
        fix=fix,
    )


def test_no_findings_is_an_empty_list() -> None:
    assert report.render([]) == "[]\n"


def test_exact_keys() -> None:
    text = report.render([finding(Fix("migrate", "rewrite")), finding(None)])
    assert text.isascii()
    assert text.endswith("\n")
    first, second = json.loads(text)
    assert first == {
        "code": "CG301",
        "name": "raw-generate",
        "severity": "error",
        "confidence": "followed",
        "filename": "src/naïve.py",
        "location": {"row": 3, "column": 5},
        "end_location": {"row": 4, "column": 1},
        "message": "generate by hand",
        "remedy": "call the loader",
        "fix": {"applicability": "migrate", "message": "rewrite", "edits": []},
    }
    assert second["fix"] is None
    assert list(first) == list(second)
