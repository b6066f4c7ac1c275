"""The language server, asked as an editor asks: messages over standard input and output."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
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


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[Editor]:
    (tmp_path / ".git").mkdir()
    (tmp_path / "pyproject.toml").write_text(
        "[tool.cleanguard]\nselect = ['CG101', 'CG110']\ntarget-versions = ['trl>=1.16']\n"
        "exclude = ['archived/']\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", "from cleanguard.cli import main; main()", "lsp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    speaks = Editor(process)
    speaks.ask("initialize", {"processId": None, "rootUri": tmp_path.as_uri(), "capabilities": {}})
    speaks.notify("initialized", {})
    yield speaks
    speaks.ask("shutdown", None)
    speaks.notify("exit", None)
    assert process.wait(10) == 0


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
    (fix,) = actions(3)
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


def test_a_broken_configuration_is_said(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.cleanguard]\nselct = []\n")
    assert open_file(editor, tmp_path / "a.py", TEXT) == []
    assert "did you mean 'select'" in editor.wait_for("window/showMessage")["message"]
