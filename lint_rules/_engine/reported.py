"""Findings of what rules report: placed, worded, and with their edits; and those of files that cannot be read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Finding, Fix, Position
from cleanguard.files import UnlistedFolderError
from cleanguard.settings.config import Settings, selected
from cleanguard.settings.per_file import with_severity

if TYPE_CHECKING:
    from lint_rules._light import Places
    from lint_rules._light.positions import Positions
    from lint_rules.rule import Report, Rule

START = Position(1, 1)

LIST_IT = "change its rights, or exclude it"


def placed_finding(
    filename: str, rule: Rule, report: Report, positions: Positions | Places, fix: Fix | None
) -> Finding:
    # Not at the top: most files have no finding, and its patterns take as long to compile as reading one.
    from cleanguard.secrets.redaction import redact_text

    severity = report.severity or rule.hazard.severity
    return Finding(
        hazard=rule.hazard,
        severity="warning" if report.confidence == "named" else severity,
        confidence=report.confidence,
        filename=filename,
        location=positions.start(report.node),
        end_location=positions.end(report.node),
        message=redact_text(_message(report), ()),
        remedy=redact_text(report.remedy or rule.hazard.remedy, ()),
        fix=fix,
    )


def fix_of(report: Report) -> Fix | None:
    """The fix of a report without its edits; None where the rule has planned none."""
    fix = report.fix
    return fix if fix and (report.edits or fix.applicability == "migrate") else None


def fix_with_edits(report: Report, positions: Positions) -> Fix | None:
    fix = fix_of(report)
    return fix and replace(fix, edits=tuple(edit.placed(positions) for edit in report.edits))


def _message(report: Report) -> str:
    guessed = report.confidence == "named"
    return f"{report.message} (a guess by name)" if guessed else report.message


def io_problem(error: OSError) -> str:
    """Why the system did not give a file, or what is in a folder, in words."""
    what = "cannot list the folder" if isinstance(error, UnlistedFolderError) else "cannot read it"
    return f"{what}: {(error.strerror or type(error).__name__).lower()}"


def unreadable(
    filename: str,
    reason: str,
    settings: Settings,
    position: Position = START,
    what: str = "file",
) -> tuple[Finding, ...]:
    """The finding for a file, a cell of it, or a folder, that could not be checked."""
    if hazards.UNREADABLE.code not in selected(settings):
        return ()
    finding = Finding(
        hazard=hazards.UNREADABLE,
        severity="error",
        confidence="followed",
        filename=filename,
        location=position,
        end_location=position,
        message=f"the {what} was not checked: {reason}",
        remedy=LIST_IT if what == "folder" else hazards.UNREADABLE.remedy,
    )
    return (with_severity(finding, settings),)
