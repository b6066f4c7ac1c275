"""Takes known findings out of a check."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cleanguard.catalogue.findings import Finding
from cleanguard.cli.checking.output import sources_of
from cleanguard.files import SourceFile
from cleanguard.report.spoken import say
from cleanguard.settings.baseline import compare, load
from cleanguard.settings.config import Settings, selected


class Known:
    """The baseline of a check, read before anything is done."""

    def __init__(
        self, baseline: Path | None, settings: Settings, active: frozenset[str] | None = None
    ) -> None:
        """Read it.

        Args:
            baseline: The file that the command line names; the configured one if None.
            settings: Says which one is configured.
            active: The codes that are looked for; those that `check` selects if None.

        Raises:
            JobError: It cannot be read.
        """
        configured = settings.baseline and settings.root / settings.baseline
        self._file = baseline or configured or None
        self._active = selected(settings) if active is None else active
        self._entries = load(self._file) if self._file else ()

    def without(
        self, findings: Sequence[Finding], files: Sequence[SourceFile], *, stale: bool = True
    ) -> tuple[Finding, ...]:
        """The findings that are new; says how many are known, and which entries are stale if asked."""
        if self._file is None:
            return tuple(findings)
        names = [file.name for file in files]
        compared = compare(
            findings, self._entries, sources_of(files), self._file, names, self._active
        )
        if compared.known:
            say(f"cleanguard: {compared.known} known from {self._file}", err=True)
        for entry in compared.stale if stale else ():
            text = f"{self._file}: stale entry: {entry.path}: {entry.code}: {entry.line}"
            say(f"cleanguard: {text}", err=True)
        if compared.stale and stale:
            say("cleanguard: `cleanguard baseline` writes it anew", err=True)
        return compared.new
