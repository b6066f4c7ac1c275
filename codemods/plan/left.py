"""What a person is left with beside the sites: the findings of a file that no rewrite is for."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from cleanguard.catalogue.findings import Finding
from codemods.plan.edits import Edit
from codemods.plan.planned import PlannedSite


def beside(
    findings: Iterable[Finding], sites: Iterable[PlannedSite], old_row: Callable[[int], int]
) -> tuple[PlannedSite, ...]:
    """The findings that are not those of sites.

    Args:
        findings: What `check` reports.
        sites: Those that are left, whose findings are among them.
        old_row: The line of the old file for one of the file that was checked.
    """
    known = Counter((site.code, site.row) for site in dict.fromkeys(sites))
    others: list[tuple[Finding, int]] = []
    for finding in findings:
        row = old_row(finding.location.row)
        if known[finding.code, row]:
            known[finding.code, row] -= 1
        else:
            others.append((finding, row))
    elsewhere = Counter[str]()  # sites whose finding is on another line than the site
    for (code, _), count in known.items():
        elsewhere[code] += count
    found: list[PlannedSite] = []
    for finding, row in others:
        if elsewhere[finding.code]:
            elsewhere[finding.code] -= 1
        else:
            found.append(PlannedSite(finding.code, row, finding.message, (), finding.remedy))
    return tuple(found)


def rows_before(utf8: bytes, edits: Sequence[Edit]) -> Callable[[int], int]:
    """From a line of the edited text to that of the text before; those of an edit are its first."""
    ends: list[int] = []  # the lines of the new text on which edits end
    pairs: list[tuple[int, int]] = []
    shift = 0
    for edit in sorted(edits):
        new, old = edit.text.count("\n"), utf8.count(b"\n", edit.start, edit.end)
        first = utf8.count(b"\n", 0, edit.start) + 1
        ends.append(first + shift + new)
        shift += new - old
        pairs.append((first, shift))

    def before(row: int) -> int:
        at = bisect_right(ends, row) - 1
        plain = row - (pairs[at][1] if at >= 0 else 0)
        inside = at + 1 < len(pairs) and plain > pairs[at + 1][0]
        return pairs[at + 1][0] if inside else plain

    return before


def still_left(
    planned: Iterable[PlannedSite], left: Iterable[Finding], before: Callable[[int], int]
) -> tuple[PlannedSite, ...]:
    """The sites without the ids that `check` no longer finds fault with, as a guarded model gets them.

    Args:
        planned: The sites.
        left: What `check` reports of the result.
        before: The row that a row of the result had.
    """
    sites = list(planned)
    found = {before(one.location.row) for one in left if one.code == "CG201"}
    if not found <= {site.row for site in sites if site.code == "CG201"}:
        return tuple(sites)  # some finding is on another line than its site
    return tuple(
        site for site in sites if site.reason is None or site.code != "CG201" or site.row in found
    )


def exposed_site(finding: Finding) -> PlannedSite:
    """What a person can do next, now that the output is guarded; the row is the rewritten file's."""
    reason = "its text is guarded now: write `provenance` with the record"
    return PlannedSite(finding.code, finding.location.row, finding.message, (), reason)
