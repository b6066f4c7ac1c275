"""Takes known findings out of a check."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cleanguard.catalogue.findings import Finding
from cleanguard.cli.checking.output import sources_of
from cleanguard.errors import JobError
from cleanguard.files import SourceFile
from cleanguard.report.spoken import say
from cleanguard.settings.baseline import Entry, compare, load
from cleanguard.settings.config import Settings, complaint, selected
from cleanguard.settings.config_file import shown_path


class Known:
    """The baselines of a check, read before anything is done: one for each configuration that names one."""

    def __init__(
        self, baseline: Path | None, settings: Settings, active: frozenset[str] | None = None
    ) -> None:
        """Read them.

        Args:
            baseline: The file that the command line names, for all files; the configured ones if None.
            settings: Says which ones are configured.
            active: The codes that are looked for; those that `check` selects if None.

        Raises:
            JobError: The one of the whole run cannot be read. Of a single folder it is in `problems`.
        """
        self.problems: list[str] = []
        self._refused: list[Settings] = []
        self._settings = settings
        self._active = active
        self._all = baseline
        self._entries: dict[Path, tuple[Entry, ...]] = {}
        for own in (settings, *(nested for _, nested in settings.nested)):
            self._read(own)

    def _read(self, own: Settings) -> None:
        file = self._file_of(own)
        if file is None or file in self._entries:
            return
        try:
            self._entries[file] = load(file)
        except JobError as error:
            if self._all is not None:
                raise
            said = complaint(own, "baseline", str(error))
            if own is self._settings:
                raise JobError(said) from None
            self._refused.append(own)
            self.problems.append(f"{said}; the files in {shown_path(own.root)} were not checked")

    def checkable(self, files: Sequence[SourceFile]) -> tuple[SourceFile, ...]:
        """Those whose baseline could be read; of the others `problems` tells."""
        if not self._refused:
            return tuple(files)
        return tuple(
            file
            for file in files
            if not any(self._settings.at(file.path) is one for one in self._refused)
        )

    def _file_of(self, settings: Settings) -> Path | None:
        if self._all is not None:
            return self._all
        return settings.root / settings.baseline if settings.baseline else None

    def without(
        self, findings: Sequence[Finding], files: Sequence[SourceFile], *, stale: bool = True
    ) -> tuple[Finding, ...]:
        """The findings that are new; says how many are known, and which entries are stale if asked."""
        if not self._entries:
            return tuple(findings)
        owners = {file.name: self._settings.at(file.path) for file in files}
        new: list[Finding] = []
        for file in (None, *self._entries):
            names = [name for name, own in owners.items() if self._file_of(own) == file]
            of_these = set(names)
            own = [
                finding
                for finding in findings
                if (finding.filename in of_these)
                or (file == self._file_of(self._settings) and finding.filename not in owners)
            ]
            if file is None:
                new += own
            elif own or names:
                settings = next((owners[name] for name in names), self._settings)
                new += self._new(file, own, files, names, settings, stale=stale)
        return tuple(sorted(new, key=lambda finding: finding.sort_key))

    def _new(
        self,
        file: Path,
        findings: Sequence[Finding],
        files: Sequence[SourceFile],
        names: Sequence[str],
        settings: Settings,
        *,
        stale: bool,
    ) -> tuple[Finding, ...]:
        active = selected(settings) if self._active is None else self._active
        compared = compare(findings, self._entries[file], sources_of(files), file, names, active)
        if compared.known:
            say(f"cleanguard: {compared.known} known from {shown_path(file)}", err=True)
        for entry in compared.stale if stale else ():
            text = f"{shown_path(file)}: stale entry: {entry.path}: {entry.code}: {entry.line}"
            say(f"cleanguard: {text}", err=True)
        if compared.stale and stale:
            say("cleanguard: `cleanguard baseline` writes it anew", err=True)
        return compared.new
