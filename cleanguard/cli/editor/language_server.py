"""Answers an editor: checks what it shows, says what a finding means, and offers the fixes."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path
from pygls.workspace import TextDocument

from cleanguard.catalogue.findings import Finding
from cleanguard.catalogue.pages import markdown_of
from cleanguard.cli.editor.actions import FIX_ALL, Actions
from cleanguard.cli.editor.checked import Checked, Checker, Look
from cleanguard.cli.editor.configurations import is_configuration, watch_configurations
from cleanguard.cli.editor.showing import diagnostic_of, touch
from cleanguard.cli.editor.standing import look_at
from cleanguard.errors import JobError
from cleanguard.version import VERSION
from lint_rules._engine.worker import prepare

# Seconds without a change after which a file is checked: a check for each pause, not for each key.
PAUSE = 0.3
_PLACE = re.compile(r"(?P<file>[^\n:]+):(?P<line>\d+): (?P<problem>.*)", re.DOTALL)


def _lacks_edits(finding: Finding) -> bool:
    """Whether a finding has a fix whose edits were not looked for."""
    fix = finding.fix
    return fix is not None and fix.applicability != "migrate" and not fix.edits


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
        self.checker = Checker()
        # One thread: checks come one after the other, and questions are answered meanwhile.
        self._thread = ThreadPoolExecutor(1, "check")
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._looked: dict[str, Look] = {}
        # What stood in a file when its findings got the edits of their fixes.
        self._exact: dict[str, bytes] = {}
        self._said: set[str] = set()
        self._blamed: set[str] = set()

    # --- when to look

    def look_soon(self, uri: str) -> None:
        """Checks a file when it has not changed for a moment; what was to come before is dropped."""
        self._drop(uri)
        loop = asyncio.get_running_loop()
        self._waiting[uri] = loop.call_later(PAUSE, lambda: self.look(uri, neighbours=False))

    def look_again(self) -> None:
        """Checks everything that is open, because what says how has changed."""
        for uri in tuple(self.found):
            if self._notebook_of(uri) is None:
                self.look(uri, neighbours=True)

    def _drop(self, uri: str) -> None:
        waiting = self._waiting.pop(uri, None)
        if waiting is not None:
            waiting.cancel()

    # --- looking

    def look(self, uri: str, *, neighbours: bool) -> None:
        """Checks an open file, or notebook, and publishes what is found.

        Args:
            uri: The file's.
            neighbours: Follow imports into the other files below the settings' root as well; they
                are listed anew, which takes too long for every key stroke.
        """
        self._drop(uri)
        running = self._looking.pop(uri, None)
        if running is not None:
            running.cancel()
        task = asyncio.get_running_loop().create_task(self._look(uri, neighbours))
        self._looking[uri] = task

    async def _look(self, uri: str, neighbours: bool) -> None:
        look = self._now(uri, neighbours)
        if look is None:
            return
        try:
            checked = await self._checked(look)
        except JobError as error:
            checked = Checked(self.found.get(uri, ()), str(error))
        if checked.problem is None:
            self._unblame()
        else:
            self._say(checked.problem)
        now = self._now(uri, neighbours)
        if now is None or now.content != look.content:
            return  # of a version that is gone: the change has asked for a look of its own
        self._looking.pop(uri, None)
        self._looked[uri] = look
        self._exact.pop(uri, None)  # these have no edits, unlike what a question got meanwhile
        self._take(uri, checked.found, publish=True)

    async def _checked(self, look: Look, *, edits: bool = False) -> Checked:
        check = partial(self.checker.checked, look, edits=edits)
        return await asyncio.get_running_loop().run_in_executor(self._thread, check)

    def _now(self, uri: str, neighbours: bool) -> Look | None:
        """A file, or a notebook, as it stands now; None for a notebook that was closed."""
        return look_at(self.workspace, uri, neighbours, is_notebook=uri in self.notebooks)

    def _take(self, uri: str, found: tuple[Finding, ...], *, publish: bool) -> None:
        """Keeps what is found, of a notebook for each of its cells."""
        self.found[uri] = found
        notebook = self.workspace.get_notebook_document(notebook_uri=uri)
        cells = [uri] if notebook is None else [cell.document for cell in notebook.cells]
        for number, each in enumerate(cells, 1):
            document = self.workspace.get_text_document(each)
            if notebook is not None:
                self.found[each] = tuple(one for one in found if one.location.cell == number)
            if publish:
                self._publish(document, self.found[each])

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
        running = self._looking.pop(uri, None)
        if running is not None:
            running.cancel()
        self._looked.pop(uri, None)
        self._exact.pop(uri, None)
        if self.found.pop(uri, None) is not None and uri not in self.notebooks:
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    async def actions(self, uri: str) -> Actions:
        """What can be done in a document as it stands now.

        Findings are shown without the edits of their fixes, which take a full syntax tree; those are
        found when something is asked for that needs them, once for each version.
        """
        notebook = self._notebook_of(uri)
        found = await self._exactly(uri if notebook is None else notebook.uri)
        if notebook is not None and found:
            found = self.found.get(uri, ())
        document = self.workspace.get_text_document(uri)
        text = self.client_capabilities.text_document
        support = text and text.code_action and text.code_action.resolve_support
        return Actions(
            document,
            found,
            is_cell=notebook is not None,
            lazy=bool(support and "edit" in support.properties),
        )

    async def _exactly(self, uri: str) -> tuple[Finding, ...]:
        """The findings of what stands there now, with edits; none where it changes meanwhile."""
        if uri not in self._looked and uri not in self._looking:
            return ()  # nothing that is checked
        looked = self._looked.get(uri)
        look = self._now(uri, looked is not None and looked.neighbours)
        if look is None:
            return ()
        found = self.found.get(uri, ())
        fresh = looked is not None and looked.content == look.content
        if fresh and (self._exact.get(uri) == look.content or not any(map(_lacks_edits, found))):
            return found
        try:
            checked = await self._checked(look, edits=True)
        except JobError:  # a look says it
            return ()
        now = self._now(uri, look.neighbours)
        if now is None or now.content != look.content:
            return ()
        self._looked[uri], self._exact[uri] = look, look.content
        self._take(uri, checked.found, publish=False)
        return checked.found

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
    async def actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        return (await server.actions(params.text_document.uri)).offered(params)

    @server.feature(types.CODE_ACTION_RESOLVE)
    async def resolve(action: types.CodeAction) -> types.CodeAction:
        with suppress(JobError):
            return (await server.actions(str(action.data))).resolved(action)
        return action

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(params: types.HoverParams) -> types.Hover | None:
        return server.hover(params)

    @server.feature(types.INITIALIZED)
    async def initialized(params: types.InitializedParams) -> None:
        await watch_configurations(server)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def changed_outside(params: types.DidChangeWatchedFilesParams) -> None:
        server.look_again()

    return server


def _documents(server: Server) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        if not is_configuration(params.text_document.uri):
            server.look(params.text_document.uri, neighbours=True)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeTextDocumentParams) -> None:
        if not is_configuration(params.text_document.uri):
            server.look_soon(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        if is_configuration(params.text_document.uri):
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
        server.look(params.notebook_document.uri, neighbours=True)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeNotebookDocumentParams) -> None:
        server.look_soon(params.notebook_document.uri)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveNotebookDocumentParams) -> None:
        server.look(params.notebook_document.uri, neighbours=True)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseNotebookDocumentParams) -> None:
        for cell in params.cell_text_documents:
            server.forget(cell.uri)
        server.forget(params.notebook_document.uri)
        server.notebooks.discard(params.notebook_document.uri)


def serve() -> None:
    """Answers until the editor leaves."""
    # Copies, because the server closes what it is given, and the process still flushes its own.
    prepare()  # what every check takes, for the process to inherit
    server = build()
    server.checker.warm_up()
    with os.fdopen(os.dup(0), "rb") as stdin, os.fdopen(os.dup(1), "wb") as stdout:
        server.start_io(stdin, stdout)
    server.checker.close()
