"""Takes known findings out of a check."""

from __future__ import annotations

from collections.abc import Sequence

import click

from cleanguard.catalogue.findings import Finding
from cleanguard.cli.checking.options import CheckOptions
from cleanguard.cli.checking.output import sources_of
from cleanguard.files import SourceFile
from cleanguard.settings.baseline import compare, load
from cleanguard.settings.config import Settings, selected


class Known:
    """The baseline of a check, read before anything is done."""

    def __init__(self, options: CheckOptions, settings: Settings) -> None:
        configured = settings.baseline and settings.root / settings.baseline
        self._file = options.baseline or configured or None
        self._active = selected(settings)
        self._entries = load(self._file) if self._file else ()

    def without(
        self, findings: Sequence[Finding], files: Sequence[SourceFile]
    ) -> tuple[Finding, ...]:
        """The findings that are new; says how many are known, and which entries are stale."""
        if self._file is None:
            return tuple(findings)
        names = [file.name for file in files]
        compared = compare(
            findings, self._entries, sources_of(files), self._file, names, self._active
        )
        if compared.known:
            click.echo(f"cleanguard: {compared.known} known from {self._file}", err=True)
        for entry in compared.stale:
            text = f"{self._file}: stale entry: {entry.path}: {entry.code}: {entry.line}"
            click.echo(f"cleanguard: {text}", err=True)
        if compared.stale:
            click.echo("cleanguard: `cleanguard baseline` writes it anew", err=True)
        return compared.new
