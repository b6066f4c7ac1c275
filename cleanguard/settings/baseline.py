"""Findings that are known: an old repository starts green, and only what is new is reported.

An entry is a fingerprint of code, path, normalised line and occurrence, so it survives edits elsewhere
in the file. Unreadable files (CG900) are never entered: nobody knows what they hold.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanguard.catalogue.findings import Finding
from cleanguard.catalogue.fingerprints import Sources, fingerprints, normalised_line
from cleanguard.catalogue.hazards import UNREADABLE
from cleanguard.editing.read import regular
from cleanguard.errors import JobError
from cleanguard.settings.config_file import shown_path

DEFAULT_NAME = "cleanguard-baseline.json"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One known finding.

    Attributes:
        fingerprint: What it is recognised by.
        code: Its code.
        path: Its file, relative to the baseline's folder, with slashes.
        line: Its line, for people who read the file.
    """

    fingerprint: str
    code: str
    path: str
    line: str


@dataclass(frozen=True, slots=True)
class Compared:
    """Findings held against a baseline.

    Attributes:
        new: The findings that are not in it.
        known: How many are.
        stale: Entries of checked or vanished files that nothing matches any more.
    """

    new: tuple[Finding, ...]
    known: int
    stale: tuple[Entry, ...]


def entries_of(findings: Sequence[Finding], sources: Sources, file: Path) -> tuple[Entry, ...]:
    """The entries for a baseline in `file`, in the order of the findings."""
    kept = [finding for finding in findings if finding.hazard is not UNREADABLE]
    marks = _marks(kept, sources, file)
    return tuple(
        Entry(
            mark,
            finding.code,
            _relative(finding.filename, file),
            normalised_line(finding, sources),
        )
        for finding, mark in zip(kept, marks, strict=True)
    )


def dump(entries: Iterable[Entry]) -> str:
    """The baseline's text: one entry on a line, so that two branches merge."""
    lines = [
        json.dumps(
            {"fingerprint": e.fingerprint, "code": e.code, "path": e.path, "line": e.line},
            ensure_ascii=False,
        )
        for e in sorted(entries, key=lambda e: (e.path, e.code, e.line, e.fingerprint))
    ]
    body = ",\n    ".join(lines)
    inner = f"\n    {body}\n  " if lines else ""
    return f'{{\n  "version": {_VERSION},\n  "findings": [{inner}]\n}}\n'


def load(file: Path) -> tuple[Entry, ...]:
    """Read a baseline.

    Raises:
        JobError: It cannot be read or is none; a run that ignored it would report old findings as new.
    """
    shown = shown_path(file)
    try:
        data = json.loads(regular(file).read_text(encoding="utf-8"))
        if data["version"] != _VERSION:
            raise JobError(f"{shown}: version {data['version']!r} of the format is not known")
        return tuple(_entry(item) for item in data["findings"])
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        advice = "`cleanguard baseline` writes one"
        raise JobError(f"{shown}: cannot read the baseline: {reason}; {advice}") from None
    except (ValueError, RecursionError, KeyError, TypeError):
        raise JobError(f"{shown}: not a baseline; `cleanguard baseline` writes one") from None


def compare(
    findings: Sequence[Finding],
    entries: Sequence[Entry],
    sources: Sources,
    file: Path,
    checked: Iterable[str],
    active: frozenset[str],
) -> Compared:
    """Holds findings against a baseline.

    Args:
        findings: In the order of the report.
        entries: The baseline.
        sources: The lines that findings are in.
        file: Where the baseline lies.
        checked: The names of the files that were checked; other files' entries may still hold.
        active: The codes that were looked for.
    """
    known = {entry.fingerprint for entry in entries}
    marks = _marks(findings, sources, file)
    pairs = list(zip(findings, marks, strict=True))
    new = tuple(f for f, mark in pairs if mark not in known or f.hazard is UNREADABLE)
    seen = set(marks)
    looked_at = {_relative(name, file) for name in checked}
    stale = tuple(
        entry
        for entry in entries
        if entry.fingerprint not in seen
        and entry.code in active
        and (entry.path in looked_at or not (file.parent / entry.path).exists())
    )
    return Compared(new, len(findings) - len(new), stale)


def _marks(findings: Sequence[Finding], sources: Sources, file: Path) -> list[str]:
    return fingerprints(findings, sources, lambda name: _relative(name, file))


def _relative(name: str, file: Path) -> str:
    return Path(os.path.relpath(name, file.parent)).as_posix()


def _entry(item: dict[str, Any]) -> Entry:
    return Entry(*(str(item[key]) for key in ("fingerprint", "code", "path", "line")))
