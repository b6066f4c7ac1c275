"""What a check of many files gives."""

from __future__ import annotations

from dataclasses import dataclass

from cleanguard.catalogue.findings import Finding


@dataclass(frozen=True, slots=True)
class CheckRun:
    """The outcome of a check.

    Attributes:
        findings: Sorted by file and place.
        checked: Number of files read.
        failures: Rules that crashed, by file; any makes exit code 2.
    """

    findings: tuple[Finding, ...]
    checked: int
    failures: tuple[str, ...]
