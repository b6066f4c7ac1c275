"""The language server, asked as an editor asks: messages over standard input and output."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

pytest.importorskip("pygls", reason="comes with the lsp extra")

TEXT = (
    "from transformers import AutoModelForCausalLM\n"
    "from trl import SFTConfig\n"
    "x = '🙂'; m = AutoModelForCausalLM.from_pretrained('gpt2')\n"
    "c = SFTConfig('out', max_seq_length=9)\n"
)


class Editor:
    """Speaks JSON-RPC with one server."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._to: IO[bytes] = process.stdin
        self._from: IO[bytes] = process.stdout
        self._number = 0

    def notify(self, method: str, params: Any) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, params: Any) -> Any:
        self._number += 1
        self._send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == self._number and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def wait_for(self, method: str) -> Any:
        while True:
            message = self._receive()
            if message.get("method") == method:
                return message["params"]

    def _send(self, message: Any) -> None:
        body = json.dumps(message).encode()
        self._to.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._to.flush()

    def _receive(self) -> Any:
        length = 0
        while (line := self._from.readline().strip()) or not length:
            assert line or length, "the server has gone"
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return json.loads(self._from.read(length))


SERVER = "from cleanguard.cli import main; main()"
# A server in which checking a file that says so waits for another file.
SLOW = f"""
import pathlib, sys, time
from cleanguard.cli.editor.checked import Checker
checked, go = Checker.checked, pathlib.Path(sys.argv.pop())
def waiting(self, look, **given):
    while look.content.startswith(b"# wait") and not go.exists():
        time.sleep(0.01)
    return checked(self, look, **given)
Checker.checked = waiting
{SERVER}
"""


@contextmanager
def started(folder: Path, script: str, *arguments: str) -> Iterator[Editor]:
    """An editor with a server of its own, for a folder with a configuration."""
    (folder / ".git").mkdir()
    (folder / "pyproject.toml").write_text(
        "[tool.cleanguard]\nselect = ['CG101', 'CG110']\ntarget-versions = ['trl>=1.16']\n"
        "exclude = ['archived/']\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, "lsp", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    speaks = Editor(process)
    speaks.ask("initialize", {"processId": None, "rootUri": folder.as_uri(), "capabilities": {}})
    speaks.notify("initialized", {})
    yield speaks
    speaks.ask("shutdown", None)
    speaks.notify("exit", None)
    assert process.wait(10) == 0


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[Editor]:
    with started(tmp_path, SERVER) as speaks:
        yield speaks


def open_file(editor: Editor, path: Path, text: str) -> list[Any]:
    document = {"uri": path.as_uri(), "languageId": "python", "version": 1, "text": text}
    editor.notify("textDocument/didOpen", {"textDocument": document})
    return editor.wait_for("textDocument/publishDiagnostics")["diagnostics"]


def test_an_open_file_is_checked_as_it_stands_in_the_editor(editor: Editor, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    found = open_file(editor, path, TEXT)
    assert [(d["code"], d["severity"]) for d in found] == [("CG101", 1), ("CG110", 1)]
    # The smiley counts for two in UTF-16, which is what editors use unless they say otherwise.
    assert found[0]["range"]["start"] == {"line": 2, "character": 14}
    document = {"uri": path.as_uri(), "version": 2}
    editor.notify(
        "textDocument/didChange",
        {"textDocument": document, "contentChanges": [{"text": "x = 1\n"}]},
    )
    assert editor.wait_for("textDocument/publishDiagnostics")["diagnostics"] == []
    editor.notify("textDocument/didClose", {"textDocument": {"uri": path.as_uri()}})
    assert editor.wait_for("textDocument/publishDiagnostics")["diagnostics"] == []


def test_a_fix_is_offered_where_it_belongs(editor: Editor, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    open_file(editor, path, TEXT)

    def actions(line: int) -> Any:
        place = {"line": line, "character": 5}
        return editor.ask(
            "textDocument/codeAction",
            {
                "textDocument": {"uri": path.as_uri()},
                "range": {"start": place, "end": place},
                "context": {"diagnostics": []},
            },
        )

    assert actions(0) == []
    fix, comment = actions(3)
    assert comment["title"] == "CG110: suppress here, with a reason"
    assert fix["isPreferred"] is True
    (edit,) = fix["edit"]["changes"][path.as_uri()]
    start, end = edit["range"]["start"], edit["range"]["end"]
    line = TEXT.splitlines()[3]
    assert (start["line"], end["line"]) == (3, 3)
    assert line[start["character"] : end["character"]] == "max_seq_length"
    assert edit["newText"] == "max_length"


def test_excluded_files_are_quiet_and_others_are_followed(editor: Editor, tmp_path: Path) -> None:
    assert open_file(editor, tmp_path / "archived" / "a.py", TEXT) == []
    (tmp_path / "names.py").write_text("NAME = 'gpt2'\n")
    text = TEXT.splitlines()[0] + "\nfrom names import NAME\n"
    found = open_file(
        editor, tmp_path / "b.py", f"{text}m = AutoModelForCausalLM.from_pretrained(NAME)\n"
    )
    assert "`gpt2`" in found[0]["message"]


def test_a_broken_configuration_is_said_and_takes_nothing_away(
    editor: Editor, tmp_path: Path
) -> None:
    path, config = tmp_path / "a.py", tmp_path / "pyproject.toml"
    before = open_file(editor, path, TEXT)
    good = config.read_text()
    config.write_text("[tool.cleanguard]\nselct = []\n")
    outside = {"changes": [{"uri": config.as_uri(), "type": 2}]}
    editor.notify("workspace/didChangeWatchedFiles", outside)
    # At its place in the file that is wrong, and once in words; the findings stay.
    wrong = editor.wait_for("textDocument/publishDiagnostics")
    assert wrong["uri"] == config.as_uri()
    assert wrong["diagnostics"][0]["range"]["start"]["line"] == 1
    assert "did you mean 'select'" in editor.wait_for("window/showMessage")["message"]
    assert editor.wait_for("textDocument/publishDiagnostics")["diagnostics"] == before
    config.write_text(good.replace("'CG101', ", ""))
    editor.notify("workspace/didChangeWatchedFiles", outside)
    assert editor.wait_for("textDocument/publishDiagnostics")["diagnostics"] == []
    now = editor.wait_for("textDocument/publishDiagnostics")["diagnostics"]
    assert [found["code"] for found in now] == ["CG110"]


def change(path: Path, version: int, text: str) -> dict[str, Any]:
    document = {"uri": path.as_uri(), "version": version}
    return {"textDocument": document, "contentChanges": [{"text": text}]}


def test_a_burst_of_changes_is_few_checks_and_none_of_them_stale(
    editor: Editor, tmp_path: Path
) -> None:
    path = tmp_path / "a.py"
    open_file(editor, path, TEXT)
    for version in range(2, 22):
        editor.notify("textDocument/didChange", change(path, version, "\n" * version + TEXT))
    versions = [0]
    while versions[-1] != 21:
        shown = editor.wait_for("textDocument/publishDiagnostics")
        versions.append(shown["version"])
        # Of whichever version it is, the places are that version's.
        first = shown["diagnostics"][0]["range"]["start"]
        assert first == {"line": versions[-1] + 2, "character": 14}
    assert len(versions) - 1 <= 3
    assert versions == sorted(versions)


def test_what_is_offered_belongs_to_what_stands_there_now(editor: Editor, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    open_file(editor, path, TEXT)
    text = "\n\n\n" + TEXT
    # Asked before typing pauses: the findings that are shown are of the version before.
    editor.notify("textDocument/didChange", change(path, 2, text))
    assert code_actions(editor, path, 3) == []
    fix, _ = code_actions(editor, path, 6)
    after = edited(text.replace("🙂", ":)"), fix["edit"]["changes"][path.as_uri()])
    assert after == text.replace("🙂", ":)").replace("max_seq_length", "max_length")
    editor.notify("textDocument/didSave", {"textDocument": {"uri": path.as_uri()}})
    editor.wait_for("textDocument/publishDiagnostics")
    again, _ = code_actions(editor, path, 6)  # what is shown was found without edits
    assert again["edit"] == fix["edit"]


def test_questions_are_answered_while_a_check_runs_and_what_it_finds_too_late_is_dropped(
    tmp_path: Path,
) -> None:
    path, go = tmp_path / "a.py", tmp_path / "go"
    with started(tmp_path, SLOW, str(go)) as editor:
        open_file(editor, path, TEXT)
        editor.notify("textDocument/didChange", change(path, 2, f"# wait\n{TEXT}"))
        editor.notify("textDocument/didSave", {"textDocument": {"uri": path.as_uri()}})
        place = {"textDocument": {"uri": path.as_uri()}, "position": {"line": 2, "character": 20}}
        assert "CG101" in editor.ask("textDocument/hover", place)["contents"]["value"]
        editor.notify("textDocument/didChange", change(path, 3, f"\n\n{TEXT}"))
        editor.ask("textDocument/hover", place)  # the server has read the change when it answers
        go.touch()
        shown = editor.wait_for("textDocument/publishDiagnostics")
    assert shown["version"] == 3
    assert shown["diagnostics"][0]["range"]["start"]["line"] == 4


def test_nothing_is_offered_for_what_is_not_checked(editor: Editor, tmp_path: Path) -> None:
    config = tmp_path / "pyproject.toml"
    document = {"uri": config.as_uri(), "languageId": "toml", "version": 1}
    text = config.read_text()
    editor.notify("textDocument/didOpen", {"textDocument": {**document, "text": text}})
    assert code_actions(editor, config, 1) == []


def test_a_wrong_configuration_leaves_the_last_good_one(editor: Editor, tmp_path: Path) -> None:
    path, config = tmp_path / "a.py", tmp_path / "pyproject.toml"
    open_file(editor, path, TEXT)
    config.write_text("[tool.cleanguard\n")
    load = TEXT.splitlines(keepends=True)[2].replace("🙂", "y")
    editor.notify("textDocument/didChange", change(path, 2, TEXT + load))
    assert "pyproject.toml" in editor.wait_for("window/showMessage")["message"]
    found = editor.wait_for("textDocument/publishDiagnostics")["diagnostics"]
    # The load that was added since is found, and by the codes that the good configuration selects.
    places = sorted((d["range"]["start"]["line"], d["code"]) for d in found)
    assert places == [(2, "CG101"), (3, "CG110"), (4, "CG101")]


def code_actions(editor: Editor, path: Path, line: int, only: list[str] | None = None) -> list[Any]:
    place = {"line": line, "character": 5}
    context: dict[str, Any] = {"diagnostics": []}
    found: list[Any] = editor.ask(
        "textDocument/codeAction",
        {
            "textDocument": {"uri": path.as_uri()},
            "range": {"start": place, "end": place},
            "context": context if only is None else {**context, "only": only},
        },
    )
    return found


def edited(text: str, edits: list[Any]) -> str:
    """The text with an editor's edits made; of characters that UTF-16 counts as one."""
    lines = text.splitlines(keepends=True)
    starts = [sum(map(len, lines[:row])) for row in range(len(lines) + 1)]

    def at(place: Any) -> int:
        return starts[place["line"]] + int(place["character"])

    for edit in sorted(edits, key=lambda one: -at(one["range"]["start"])):
        text = (
            text[: at(edit["range"]["start"])] + edit["newText"] + text[at(edit["range"]["end"]) :]
        )
    return text


def test_what_migrate_makes_of_the_file_is_offered_at_its_findings(
    editor: Editor, tmp_path: Path
) -> None:
    path = tmp_path / "a.py"
    text = (
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        't = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")\n'
        'm = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")\nprint(m, t)\n'
    )
    open_file(editor, path, text)
    migrate, comment = code_actions(editor, path, 2)
    assert migrate["title"] == "cleanguard migrate: rewrite this file (1 finding)"
    after = edited(text, migrate["edit"]["changes"][path.as_uri()])
    assert "loader = CleanModelLoader(" in after
    assert after.endswith("print(m, t)\n")
    suppressed = edited(text, comment["edit"]["changes"][path.as_uri()])
    assert "# cleanguard: ignore[CG101] TODO: say why" in suppressed.splitlines()[2]


def test_fix_all_is_given_where_it_is_asked_for_and_nothing_else(
    editor: Editor, tmp_path: Path
) -> None:
    path = tmp_path / "a.py"
    text = TEXT.replace("🙂", ":)") + "d = SFTConfig('out', max_seq_length=8)\n"
    open_file(editor, path, text)
    (fix,) = code_actions(editor, path, 0, ["source.fixAll"])
    assert fix["kind"] == "source.fixAll.cleanguard"
    after = edited(text, fix["edit"]["changes"][path.as_uri()])
    assert after == text.replace("max_seq_length", "max_length")
    assert code_actions(editor, path, 0, ["source.organizeImports"]) == []
    quick = code_actions(editor, path, 3, ["quickfix"])
    assert {action["kind"] for action in quick} == {"quickfix"}


def test_a_finding_says_what_it_means(editor: Editor, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    open_file(editor, path, TEXT)

    def hover(line: int) -> Any:
        place = {"line": line, "character": 20}
        return editor.ask(
            "textDocument/hover", {"textDocument": {"uri": path.as_uri()}, "position": place}
        )

    assert "# CG101 raw-model-load" in hover(2)["contents"]["value"]
    assert hover(0) is None


def test_a_notebooks_cells_are_checked_together(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "n.ipynb").as_uri()
    texts = [
        "# Title",
        "from transformers import AutoModelForCausalLM",
        "%time m = 1\nx = AutoModelForCausalLM.from_pretrained('gpt2')",
    ]
    cells = [f"{uri}#{number}" for number in range(3)]
    editor.notify(
        "notebookDocument/didOpen",
        {
            "notebookDocument": {
                "uri": uri,
                "notebookType": "jupyter-notebook",
                "version": 1,
                "cells": [
                    {"kind": 1 if number == 0 else 2, "document": cell}
                    for number, cell in enumerate(cells)
                ],
            },
            "cellTextDocuments": [
                {
                    "uri": cell,
                    "languageId": "markdown" if number == 0 else "python",
                    "version": 1,
                    "text": text,
                }
                for number, (cell, text) in enumerate(zip(cells, texts, strict=True))
            ],
        },
    )
    found = {}
    while len(found) < 3:
        params = editor.wait_for("textDocument/publishDiagnostics")
        found[params["uri"]] = params["diagnostics"]
    assert [len(found[cell]) for cell in cells] == [0, 0, 1]
    assert found[cells[2]][0]["range"]["start"] == {"line": 1, "character": 4}
