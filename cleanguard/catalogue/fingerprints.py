"""Names for findings that outlive edits elsewhere in the file: never the line number."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence

from cleanguard.catalogue.findings import Finding

# The lines of the file that a finding is in, or of its notebook cell.
Sources = Callable[[Finding], Sequence[str]]


def normalised_line(finding: Finding, sources: Sources) -> str:
    """The finding's first line with its blanks made single; empty where it cannot be read."""
    lines = sources(finding)
    row = finding.location.row
    return " ".join(lines[row - 1].split()) if 1 <= row <= len(lines) else ""


def fingerprints(
    findings: Sequence[Finding], sources: Sources, path_of: Callable[[str], str] = str
) -> list[str]:
    """A fingerprint for each finding: code, path, normalised line, and which of several equal ones.

    Args:
        findings: In the order of the report.
        sources: The lines that findings are in.
        path_of: The path that a fingerprint is made with.
    """
    seen: Counter[tuple[str, str, str]] = Counter()
    made: list[str] = []
    for finding in findings:
        key = (finding.code, path_of(finding.filename), normalised_line(finding, sources))
        seen[key] += 1
        text = "\0".join((*key, str(seen[key])))
        made.append(hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32])
    return made
