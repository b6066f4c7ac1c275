"""Facts of a run as the findings of a check: selected, named, suppressed like them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from cleanguard.catalogue.findings import Finding, Position
from cleanguard.catalogue.hazards import BY_CODE, CATALOGUE, UNUSED_SUPPRESSION
from cleanguard.catalogue.selection import codes_of
from cleanguard.settings.config import Settings
from cleanguard.settings.per_file import ignored_in, with_severity
from cleanguard.settings.suppressions import may_suppress, suppressed
from guard.observing.events import Site
from guard.tracing.gathering import Gathered, Seen

CELL = re.compile(r"(?P<notebook>.*\.ipynb)#cell(?P<cell>\d+)", re.DOTALL)


def traced_codes(settings: Settings) -> frozenset[str]:
    """The codes that a trace reports.

    Raises:
        UnknownSelectorError: An entry of `select` or `ignore` names no hazard.
    """
    traced = frozenset(hazard.code for hazard in CATALOGUE if hazard.traced)
    defaults = frozenset(hazard.code for hazard in CATALOGUE if hazard.traced and hazard.default)
    chosen = frozenset().union(*map(codes_of, settings.select)) if settings.select else defaults
    more = frozenset().union(*map(codes_of, settings.extend_select))
    ignored = frozenset().union(*map(codes_of, settings.ignore))
    return ((chosen | more) & traced) - ignored


def findings_of(gathered: Gathered, settings: Settings, folder: Path) -> tuple[Finding, ...]:
    """The findings in the order of a report; suppressed ones are left out.

    Args:
        gathered: What was seen.
        settings: Selection, severities, what is ignored where.
        folder: Names are relative to it where they lie in it, as `check` gives them.

    Raises:
        UnknownSelectorError: See `traced_codes`.
    """
    active = traced_codes(settings)
    by_file: dict[str, list[Finding]] = {}
    for fact in gathered.facts:
        if fact.what in active:
            found = with_severity(_finding(fact, folder), settings)
            by_file.setdefault(found.filename, []).append(found)
    kept: list[Finding] = []
    for name, found_here in by_file.items():
        path = folder / name
        ignored = ignored_in(path, settings)
        remaining = [finding for finding in found_here if finding.code not in ignored]
        kept += _unsuppressed(remaining, path, active - ignored, settings)
    return tuple(sorted(kept, key=lambda finding: finding.sort_key))


def _finding(fact: Seen, folder: Path) -> Finding:
    hazard = BY_CODE[fact.what]
    filename, start, end = placed(fact.site, folder)
    message = str(fact.content["message"])
    if fact.count > 1:
        message += f" (seen {fact.count} times)"
    return Finding(
        hazard=hazard,
        severity="warning" if fact.content["severity"] == "warning" else "error",
        confidence="followed",
        filename=filename,
        location=start,
        end_location=end,
        message=message,
        remedy=str(fact.content.get("remedy") or hazard.remedy),
    )


def placed(site: Site, folder: Path) -> tuple[str, Position, Position]:
    """A place under the name that a report gives to its file, with the cell of a notebook."""
    cell = CELL.fullmatch(site.filename)
    filename = cell["notebook"] if cell else site.filename
    number = int(cell["cell"]) if cell else 0
    if Path(filename).is_absolute():
        relative = os.path.relpath(filename, folder)
        filename = filename if relative.startswith("..") else relative
    return (
        filename,
        Position(site.line, site.column, number),
        Position(site.end_line, max(site.end_column, site.column), number),
    )


def _unsuppressed(
    found: list[Finding], path: Path, active: frozenset[str], settings: Settings
) -> Iterable[Finding]:
    try:
        raw = path.read_bytes()
    except OSError:
        return found
    if not found or not may_suppress(raw):
        return found
    reason = settings.require_suppression_reason
    # A comment that did nothing in this run may do something in another.
    active = active - {UNUSED_SUPPRESSION.code}
    if path.suffix != ".ipynb":
        text = raw.decode("utf-8-sig", errors="replace")
        return suppressed(found, text, found[0].filename, active, reason)
    kept: list[Finding] = []
    for number, text in notebook_cells(raw):
        here = [replace(one) for one in found if one.location.cell == number]
        kept += suppressed(here, text, found[0].filename, active, reason)
    return kept


def notebook_cells(raw: bytes) -> list[tuple[int, str]]:
    """The code cells of a notebook with their numbers among all cells, from 1.

    Raises:
        ValueError: The bytes are no notebook.
    """
    import json

    data = json.loads(raw)
    if not isinstance(data, dict) or not isinstance(data.get("cells"), list):
        raise ValueError("JSON, but no notebook")
    found = []
    for number, cell in enumerate(data["cells"], start=1):
        if cell.get("cell_type") == "code":
            source = cell.get("source", "")
            found.append((number, source if isinstance(source, str) else "".join(source)))
    return found
