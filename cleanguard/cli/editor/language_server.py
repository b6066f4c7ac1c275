"""Answers an editor: checks what it shows, says what a finding means, and offers the fixes."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path
from pygls.workspace import TextDocument

from cleanguard.catalogue.findings import Finding
from cleanguard.catalogue.pages import markdown_of
from cleanguard.cli.editor.actions import FIX_ALL, Actions
from cleanguard.cli.editor.checked import as_notebook, checked
from cleanguard.cli.editor.showing import diagnostic_of, touch
from cleanguard.errors import JobError
from cleanguard.version import VERSION
from lint_rules._engine.worker import prepare

# Seconds without a change after which a file is checked: a check for each pause, not for each key.
PAUSE = 0.3
_CONFIGURATION = "pyproject.toml"
_PLACE = re.compile(r"(?P<file>[^\n:]+):(?P<line>\d+): (?P<problem>.*)", re.DOTALL)


class Server(LanguageServer):
    """Remembers what it last found in each open file, for the fixes that are asked for later."""

    def __init__(self) -> None:
        whole = types.NotebookDocumentFilterWithCells(
            cells=[types.NotebookCellLanguage("python")],
            notebook=types.NotebookDocumentFilterNotebookType("jupyter-notebook"),
        )
        super().__init__(
            "cleanguard",
            VERSION,
            notebook_document_sync=types.NotebookDocumentSyncOptions([whole], save=True),
        )
        self.found: dict[str, tuple[Finding, ...]] = {}
        self.notebooks: set[str] = set()
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._said: set[str] = set()
        self._blamed: set[str] = set()

    # --- when to look

    def look_soon(self, uri: str) -> None:
        """Checks a file when it has not changed for a moment; what was to come before is dropped."""
        self._drop(uri)
        look = self.look_at_notebook if uri in self.notebooks else self.look
        loop = asyncio.get_running_loop()
        self._waiting[uri] = loop.call_later(PAUSE, lambda: look(uri, neighbours=False))

    def look_again(self) -> None:
        """Checks everything that is open, because what says how has changed."""
        for uri in tuple(self.found):
            if uri in self.notebooks:
                self.look_at_notebook(uri, neighbours=True)
            elif self._notebook_of(uri) is None:
                self.look(uri, neighbours=True)

    def _drop(self, uri: str) -> None:
        waiting = self._waiting.pop(uri, None)
        if waiting is not None:
            waiting.cancel()

    # --- looking

    def look(self, uri: str, *, neighbours: bool) -> None:
        """Checks an open file and publishes what is found.

        Args:
            uri: The file's.
            neighbours: Follow imports into the other files below the settings' root as well; they
                are listed anew, which takes too long for every key stroke.
        """
        self._drop(uri)
        document = self.workspace.get_text_document(uri)
        path = Path(to_fs_path(document.uri) or document.path)
        content = document.source.encode("utf-8", errors="replace")
        found = self._asked(lambda: checked(path, content, neighbours=neighbours), uri)
        self.found[uri] = found
        self._publish(document, found)

    def look_at_notebook(self, uri: str, *, neighbours: bool) -> None:
        """Checks an open notebook and publishes what is found in each of its cells."""
        self._drop(uri)
        notebook = self.workspace.get_notebook_document(notebook_uri=uri)
        if notebook is None:
            return
        documents = [self.workspace.get_text_document(cell.document) for cell in notebook.cells]
        kinds = [
            "code" if cell.kind == types.NotebookCellKind.Code else "markdown"
            for cell in notebook.cells
        ]
        content = as_notebook(
            [(kind, one.source) for kind, one in zip(kinds, documents, strict=True)]
        )
        name = to_fs_path(uri) or "untitled"
        path = Path(name if name.endswith(".ipynb") else f"{name}.ipynb")
        found = self._asked(lambda: checked(path, content, neighbours=neighbours), uri)
        self.found[uri] = found
        for number, document in enumerate(documents, 1):
            own = tuple(one for one in found if one.location.cell == number)
            self.found[document.uri] = own
            self._publish(document, own)

    def _asked(self, ask: Callable[[], tuple[Finding, ...]], uri: str) -> tuple[Finding, ...]:
        """What is found; where it cannot be looked, what was found before, and the reason once."""
        try:
            found = ask()
        except JobError as error:
            self._say(str(error))
            return self.found.get(uri, ())
        self._unblame()
        return found

    def _publish(self, document: TextDocument, found: Iterable[Finding]) -> None:
        shown = [diagnostic_of(document, finding) for finding in found]
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(document.uri, shown, document.version)
        )

    def _say(self, problem: str) -> None:
        """Says once what is wrong, and at its place if that is known."""
        place = _PLACE.match(problem)
        if place is not None and place["file"].endswith(".toml"):
            row = int(place["line"]) - 1
            line = types.Range(types.Position(row, 0), types.Position(row, 1_000))
            uri = from_fs_path(os.path.abspath(place["file"])) or ""  # noqa: PTH100 - as it was named
            self._blamed.add(uri)
            wrong = types.Diagnostic(
                line, place["problem"], types.DiagnosticSeverity.Error, source="cleanguard"
            )
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, [wrong]))
        if problem not in self._said:
            self._said.add(problem)
            self.window_show_message(
                types.ShowMessageParams(types.MessageType.Error, f"cleanguard: {problem}")
            )

    def _unblame(self) -> None:
        self._said.clear()
        while self._blamed:
            uri = self._blamed.pop()
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    # --- what is asked

    def forget(self, uri: str) -> None:
        """Takes the findings of a closed file away."""
        self._drop(uri)
        if self.found.pop(uri, None) is not None and uri not in self.notebooks:
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    def actions(self, uri: str) -> Actions:
        """What can be done in a document."""
        document = self.workspace.get_text_document(uri)
        text = self.client_capabilities.text_document
        support = text and text.code_action and text.code_action.resolve_support
        return Actions(
            document,
            self.found.get(uri, ()),
            is_cell=self._notebook_of(uri) is not None,
            lazy=bool(support and "edit" in support.properties),
        )

    def hover(self, params: types.TextDocumentPositionParams) -> types.Hover | None:
        """What the findings at a place mean."""
        document = self.workspace.get_text_document(params.text_document.uri)
        at = types.Range(params.position, params.position)
        hit = [
            finding
            for finding in self.found.get(document.uri, ())
            if touch(diagnostic_of(document, finding).range, at)
        ]
        if not hit:
            return None
        pages = {finding.code: markdown_of(finding.hazard) for finding in hit}
        text = "\n---\n".join(pages.values())
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text))

    def _notebook_of(self, uri: str) -> types.NotebookDocument | None:
        return self.workspace.get_notebook_document(cell_uri=uri)


def build() -> Server:
    """A server with its answers, not yet connected."""
    server = Server()
    _documents(server)
    _notebooks(server)

    kinds: list[types.CodeActionKind | str] = [types.CodeActionKind.QuickFix, FIX_ALL]
    options = types.CodeActionOptions(kinds, resolve_provider=True)

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)
    def actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        return server.actions(params.text_document.uri).offered(params)

    @server.feature(types.CODE_ACTION_RESOLVE)
    def resolve(action: types.CodeAction) -> types.CodeAction:
        with suppress(JobError):
            return server.actions(str(action.data)).resolved(action)
        return action

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(params: types.HoverParams) -> types.Hover | None:
        return server.hover(params)

    @server.feature(types.INITIALIZED)
    async def initialized(params: types.InitializedParams) -> None:
        await _watch_configurations(server)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def changed_outside(params: types.DidChangeWatchedFilesParams) -> None:
        server.look_again()

    return server


def _documents(server: Server) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        if not _is_configuration(params.text_document.uri):
            server.look(params.text_document.uri, neighbours=True)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeTextDocumentParams) -> None:
        if not _is_configuration(params.text_document.uri):
            server.look_soon(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        if _is_configuration(params.text_document.uri):
            server.look_again()
        else:
            server.look(params.text_document.uri, neighbours=True)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        server.forget(params.text_document.uri)


def _notebooks(server: Server) -> None:
    @server.feature(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenNotebookDocumentParams) -> None:
        server.notebooks.add(params.notebook_document.uri)
        server.look_at_notebook(params.notebook_document.uri, neighbours=True)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeNotebookDocumentParams) -> None:
        server.look_soon(params.notebook_document.uri)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveNotebookDocumentParams) -> None:
        server.look_at_notebook(params.notebook_document.uri, neighbours=True)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseNotebookDocumentParams) -> None:
        for cell in params.cell_text_documents:
            server.forget(cell.uri)
        server.forget(params.notebook_document.uri)
        server.notebooks.discard(params.notebook_document.uri)


def _is_configuration(uri: str) -> bool:
    return uri.rpartition("/")[2] == _CONFIGURATION


async def _watch_configurations(server: Server) -> None:
    """Asks the editor to tell of changed configurations, if it is one that can be asked."""
    workspace = server.client_capabilities.workspace
    watched = workspace and workspace.did_change_watched_files
    if not (watched and watched.dynamic_registration):
        return
    options = types.DidChangeWatchedFilesRegistrationOptions(
        [types.FileSystemWatcher(f"**/{_CONFIGURATION}")]
    )
    method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
    await server.client_register_capability_async(
        types.RegistrationParams([types.Registration("configurations", method, options)])
    )


def serve() -> None:
    """Answers until the editor leaves."""
    # Copies, because the server closes what it is given, and the process still flushes its own.
    prepare()  # what every check takes, for the processes to inherit
    with os.fdopen(os.dup(0), "rb") as stdin, os.fdopen(os.dup(1), "wb") as stdout:
        build().start_io(stdin, stdout)
