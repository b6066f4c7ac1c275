"""Answers an editor: checks what it shows, and offers the fixes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path
from pygls.workspace import TextDocument

from cleanguard.catalogue.findings import Finding, Position
from cleanguard.editing.edits import Edit
from cleanguard.errors import JobError
from cleanguard.files import SourceFile, discover, is_excluded
from cleanguard.settings.config import Settings, load_settings
from cleanguard.version import VERSION
from lint_rules._engine.checking import check_source
from lint_rules._engine.each import Each, Unread
from lint_rules._engine.reported import unreadable
from lint_rules._engine.worker import prepare, start_clock
from lint_rules._run.others import OtherFiles

_SEVERITY = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
}


class Server(LanguageServer):
    """Remembers what it last found in each open file, for the fixes that are asked for later."""

    def __init__(self) -> None:
        super().__init__("cleanguard", VERSION)
        self.found: dict[str, tuple[Finding, ...]] = {}

    def look(self, uri: str, *, neighbours: bool) -> None:
        """Checks an open file and publishes what is found.

        Args:
            uri: The file's.
            neighbours: Follow imports into the other files below the settings' root as well; they
                are listed anew, which takes too long for every key stroke.
        """
        document = self.workspace.get_text_document(uri)
        problem = None
        try:
            self.found[uri] = _check(document, neighbours=neighbours)
        except JobError as error:
            problem = str(error)
            self.found[uri] = ()
        shown = [self._diagnostic(document, finding) for finding in self.found[uri]]
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(uri, shown, document.version)
        )
        if problem is not None:
            self.window_show_message(
                types.ShowMessageParams(types.MessageType.Error, f"cleanguard: {problem}")
            )

    def forget(self, uri: str) -> None:
        """Takes the findings of a closed file away."""
        self.found.pop(uri, None)
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    def fixes(self, params: types.CodeActionParams) -> list[types.CodeAction]:
        """The quick fixes of the findings that touch a range."""
        uri = params.text_document.uri
        document = self.workspace.get_text_document(uri)
        actions: list[types.CodeAction] = []
        for finding in self.found.get(uri, ()):
            diagnostic = self._diagnostic(document, finding)
            fix = finding.fix
            if fix is None or not fix.edits or not _touch(diagnostic.range, params.range):
                continue
            hint = "" if fix.applicability == "safe" else " (may change results)"
            edits = [self._text_edit(document, edit) for edit in fix.edits]
            actions.append(
                types.CodeAction(
                    f"{finding.code}: {fix.message}{hint}",
                    kind=types.CodeActionKind.QuickFix,
                    diagnostics=[diagnostic],
                    is_preferred=fix.applicability == "safe",
                    edit=types.WorkspaceEdit({uri: edits}),
                )
            )
        return actions

    def _diagnostic(self, document: TextDocument, finding: Finding) -> types.Diagnostic:
        return types.Diagnostic(
            self._range(document, finding.location, finding.end_location),
            f"{finding.message}; {finding.remedy}",
            _SEVERITY[finding.severity],
            code=finding.code,
            source="cleanguard",
        )

    def _text_edit(self, document: TextDocument, edit: Edit) -> types.TextEdit:
        utf8 = document.source.encode()
        start, end = (_position(utf8, offset) for offset in (edit.start, edit.end))
        return types.TextEdit(self._range(document, start, end), edit.text)

    @staticmethod
    def _range(document: TextDocument, start: Position, end: Position) -> types.Range:
        """In the units that the editor counts in; ours are characters."""
        counted = types.Range(
            types.Position(start.row - 1, start.column - 1),
            types.Position(end.row - 1, end.column - 1),
        )
        return document.position_codec.range_to_client_units(document.lines, counted)


@dataclass(frozen=True, slots=True)
class _Open:
    """What checking an open file takes; done in a worker process, as `check` does it."""

    settings: Settings
    others: tuple[SourceFile, ...]

    def __call__(self, file: SourceFile) -> tuple[Finding, ...]:
        others = OtherFiles(self.others, self.settings, start_clock) if self.others else None
        return check_source(file.name, file.read(), self.settings, others, file.path)


def _check(document: TextDocument, *, neighbours: bool) -> tuple[Finding, ...]:
    path = Path(to_fs_path(document.uri) or document.path)
    settings = load_settings(path)
    if is_excluded(str(path), settings.exclude, str(settings.root.absolute())):
        return ()
    files: tuple[SourceFile, ...] = ()
    if neighbours:
        files = discover([str(settings.root)], settings.exclude, settings.root)
    content = document.source.encode("utf-8", errors="replace")
    with Each(_Open(settings, files), "checking", jobs=1) as each:
        (found,) = each.run([SourceFile(str(path), path, content)])
    if not isinstance(found, Unread):
        return found
    if found.crashed:
        raise JobError(found.reason)
    return unreadable(found.name, found.reason, settings, found.position)


def _position(utf8: bytes, offset: int) -> Position:
    before = utf8[:offset]
    line = before.rpartition(b"\n")[2]
    return Position(before.count(b"\n") + 1, len(line.decode(errors="replace")) + 1)


def _touch(one: types.Range, other: types.Range) -> bool:
    return one.start <= other.end and other.start <= one.end


def build() -> Server:
    """A server with its answers, not yet connected."""
    server = Server()

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        server.look(params.text_document.uri, neighbours=True)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeTextDocumentParams) -> None:
        server.look(params.text_document.uri, neighbours=False)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        server.look(params.text_document.uri, neighbours=True)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        server.forget(params.text_document.uri)

    options = types.CodeActionOptions([types.CodeActionKind.QuickFix])

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)
    def actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        return server.fixes(params)

    return server


def serve() -> None:
    """Answers until the editor leaves."""
    # Copies, because the server closes what it is given, and the process still flushes its own.
    prepare()  # what every check takes, for the processes to inherit
    with os.fdopen(os.dup(0), "rb") as stdin, os.fdopen(os.dup(1), "wb") as stdout:
        build().start_io(stdin, stdout)
