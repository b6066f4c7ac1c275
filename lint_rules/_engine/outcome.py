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


@dataclass(frozen=True, slots=True)
class Known:
    """What a check found in a file that is as it was.

    Attributes:
        digest: Of the content that it was found in.
        findings: Without the edits of their fixes.
    """

    digest: str
    findings: tuple[Finding, ...]
