"""Findings in the words and places of an editor."""

from __future__ import annotations

from lsprotocol import types
from pygls.workspace import TextDocument

from cleanguard.catalogue.findings import Finding, Position
from cleanguard.catalogue.pages import page_of

_SEVERITY = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
}


def diagnostic_of(document: TextDocument, finding: Finding) -> types.Diagnostic:
    """A finding of a document."""
    page = page_of(finding.code)
    return types.Diagnostic(
        range_of(document, finding.location, finding.end_location),
        f"{finding.message}; {finding.remedy}",
        _SEVERITY[finding.severity],
        code=finding.code,
        code_description=types.CodeDescription(page) if page else None,
        source="cleanguard",
    )


def range_of(document: TextDocument, start: Position, end: Position) -> types.Range:
    """A range in the units that the editor counts in; ours are characters."""
    counted = types.Range(
        types.Position(start.row - 1, start.column - 1),
        types.Position(end.row - 1, end.column - 1),
    )
    return document.position_codec.range_to_client_units(document.lines, counted)


def touch(one: types.Range, other: types.Range) -> bool:
    """Whether two ranges share a place."""
    return one.start <= other.end and other.start <= one.end
