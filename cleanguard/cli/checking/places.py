"""Places of findings and of their fixes for reports: fixes in rows and columns, notebooks as files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cleanguard.catalogue.findings import Change, Finding, Position
from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings

if TYPE_CHECKING:
    from cleanguard.editing.json_sources import SourceSpan

# Formats that show the edits of fixes, and those that show places of files without knowing cells.
WITH_CHANGES = frozenset({"json", "json-lines", "sarif", "rdjson"})
IN_FILES = frozenset({"github", "gitlab", "sarif", "rdjson", "junit", "pylint", "azure"})
_NOTEBOOK = ".ipynb"


def prepared(
    findings: Sequence[Finding], files: Sequence[SourceFile], settings: Settings, style: str
) -> tuple[Finding, ...]:
    """Findings with the places that a format shows.

    Args:
        findings: In the order of the report.
        files: The files of the run.
        settings: What the run was told.
        style: The format.
    """
    found = tuple(findings)
    if style in WITH_CHANGES:
        found = _with_changes(found, files, settings)
    if style in IN_FILES:
        found = _in_files(found, files)
    return found


@dataclass(frozen=True, slots=True)
class _Changes:
    """What finding the edits of a file takes; done in a worker process, as `check` does it."""

    settings: Settings
    files: tuple[SourceFile, ...]

    def __call__(self, file: SourceFile) -> tuple[Finding, ...]:
        from lint_rules._engine.checking import check_source
        from lint_rules._run.others import OtherFiles
        from lint_rules._run.source import decode

        raw = file.read()
        others = OtherFiles(self.files, self.settings) if len(self.files) > 1 else None
        found = check_source(file.name, raw, self.settings, others, file.path)
        if not any(finding.edits for finding in found):
            return ()
        utf8 = decode(raw).text.encode()
        return tuple(_changed(finding, utf8) for finding in found if finding.edits)


def _changed(finding: Finding, utf8: bytes) -> Finding:
    assert finding.fix is not None
    changes = tuple(
        Change(_position(utf8, edit.start), _position(utf8, edit.end), edit.text)
        for edit in sorted(finding.fix.edits)
    )
    return replace(finding, fix=replace(finding.fix, changes=changes))


def _position(utf8: bytes, offset: int) -> Position:
    before = utf8[:offset].decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    return Position(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def _with_changes(
    findings: tuple[Finding, ...], files: Sequence[SourceFile], settings: Settings
) -> tuple[Finding, ...]:
    from lint_rules._engine.each import Each, Unread

    named = {
        finding.filename
        for finding in findings
        if finding.fix and finding.fix.applicability != "migrate"
    }
    wanted = [file for file in files if file.name in named]
    if not wanted:
        return findings
    with Each(_Changes(settings, tuple(files)), "checking") as each:
        outcomes = each.run(wanted)
    fixes = {
        _key(finding): finding.fix
        for outcome in outcomes
        if not isinstance(outcome, Unread)
        for finding in outcome
    }
    return tuple(
        replace(finding, fix=fixes.get(_key(finding), finding.fix)) for finding in findings
    )


def _key(finding: Finding) -> tuple[object, ...]:
    return (finding.filename, finding.code, finding.location, finding.message)


def _in_files(findings: tuple[Finding, ...], files: Sequence[SourceFile]) -> tuple[Finding, ...]:
    contents = {file.name: file for file in files}
    notebooks: dict[str, _NotebookText | None] = {}
    placed: list[Finding] = []
    for finding in findings:
        name = finding.filename
        if finding.location.cell and name in contents:
            if name not in notebooks:
                notebooks[name] = _NotebookText.read(contents[name])
            text = notebooks[name]
            if text is not None:
                ends = (text.place(finding.location), text.place(finding.end_location))
                finding = replace(finding, in_file=ends)
            else:
                finding = replace(finding, in_file=(Position(1, 1), Position(1, 1)))
        placed.append(finding)
    return tuple(placed)


@dataclass(frozen=True, slots=True)
class _NotebookText:
    """The text of a notebook's file, and where in it the sources of its cells stand."""

    text: str
    cells: dict[int, SourceSpan]

    @classmethod
    def read(cls, file: SourceFile) -> _NotebookText | None:
        """None for what cannot be read, or by now is no notebook."""
        from cleanguard.editing.json_sources import find_sources
        from lint_rules._run.notebook import code_cells

        try:
            text = file.read().decode()
            found = code_cells(json.loads(text))
            spans = find_sources(text, [cell.path for cell in found])
            return cls(text, {cell.number: spans[cell.path] for cell in found})
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            IndexError,
            AttributeError,
            RecursionError,
        ):
            return None

    def place(self, position: Position) -> Position:
        """A place of a cell as row and column of the file, and of its first cell's beginning where it has none."""
        from cleanguard.editing.json_sources import characters

        span = self.cells.get(position.cell)
        if span is None:
            return Position(1, 1)
        row = column = 1
        at = span.start
        for start, end in span.strings:
            for at, character in characters(self.text, start, end):
                if (row, column) == (position.row, position.column):
                    return self._counted(at)
                row, column = (row + 1, 1) if character == "\n" else (row, column + len(character))
            at = end - 1
        return self._counted(at)

    def _counted(self, at: int) -> Position:
        before = self.text[:at]
        return Position(before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1)
