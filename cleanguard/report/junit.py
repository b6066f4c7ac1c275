"""Findings as JUnit XML: a failed test case for each, a passed one where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from xml.sax.saxutils import quoteattr

from cleanguard.catalogue.findings import Finding
from cleanguard.report.escaping import printable


def render(findings: Sequence[Finding]) -> str:
    """A suite for each file with findings."""
    if findings:
        grouped = groupby(findings, key=lambda finding: finding.filename)
        suites = "".join(_suite(name, list(group)) for name, group in grouped)
    else:
        case = '    <testcase name="No hazards found" classname="cleanguard"/>\n'
        suites = f'  <testsuite name="cleanguard" tests="1" failures="0">\n{case}  </testsuite>\n'
    total = len(findings)
    head = f'<testsuites name="cleanguard" tests="{total or 1}" failures="{total}">'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}\n{suites}</testsuites>\n'


def _suite(name: str, findings: Sequence[Finding]) -> str:
    count = len(findings)
    head = f'  <testsuite name={_attribute(name)} tests="{count}" failures="{count}">\n'
    return head + "".join(map(_case, findings)) + "  </testsuite>\n"


def _case(finding: Finding) -> str:
    at = finding.location
    name = _attribute(f"{finding.code} {finding.name} at {at}")
    message = _attribute(f"{finding.message}; {finding.remedy}")
    return (
        f"    <testcase name={name} classname={_attribute(finding.filename)}"
        f' file={_attribute(finding.filename)} line="{finding.shown.row}">\n'
        f'      <failure type="{finding.severity}" message={message}/>\n'
        "    </testcase>\n"
    )


def _attribute(text: str) -> str:
    return quoteattr(printable(text)).replace("##[", "#&#35;[")
