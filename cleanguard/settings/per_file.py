"""What the configuration says about single files and single hazards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from cleanguard.catalogue.findings import Finding
from cleanguard.catalogue.hazards import UNREADABLE
from cleanguard.catalogue.selection import codes_of
from cleanguard.settings.config import Settings
from cleanguard.settings.config_values import FileIgnores
from cleanguard.settings.ignores import Patterns


def ignored_in(path: Path, settings: Settings) -> frozenset[str]:
    """The codes that `per-file-ignores` takes away in a file; never CG900."""
    if not settings.per_file_ignores:
        return frozenset()
    absolute = str(path.absolute())
    root = str(settings.root.absolute())
    ignored: frozenset[str] = frozenset()
    for patterns, codes in _compiled(settings.per_file_ignores, root):
        if patterns.verdict(absolute):
            ignored |= codes
    return ignored - {UNREADABLE.code}


def with_severity(finding: Finding, settings: Settings) -> Finding:
    """The finding as severe as `severities` says; a guess by name is never an error."""
    if not settings.severities:
        return finding
    severity = finding.severity
    for entry, configured in settings.severities:
        if finding.code in codes_of(entry):
            severity = configured
    guess = finding.confidence == "named"
    return replace(finding, severity="warning" if guess else severity)


def without_unfixable(finding: Finding, settings: Settings) -> Finding:
    """The finding without its fix where `fixable` or `unfixable` says so."""
    if finding.fix is None or not (settings.fixable or settings.unfixable):
        return finding
    allowed = _named(finding.code, settings.fixable or ("ALL",))
    if allowed and not _named(finding.code, settings.unfixable):
        return finding
    return replace(finding, fix=None)


def _named(code: str, entries: Iterable[str]) -> bool:
    return any(code in codes_of(entry) for entry in entries)


@lru_cache(maxsize=8)
def _compiled(ignores: FileIgnores, root: str) -> tuple[tuple[Patterns, frozenset[str]], ...]:
    return tuple(
        (Patterns.of(root, [pattern]), frozenset().union(*map(codes_of, codes)))
        for pattern, codes in ignores
    )
