"""Processor time of `cleanguard lsp` for a change of an open file, and how many checks a burst of changes costs.

    python benchmarks/editor.py FILE.py [FILE.py …]

Counted is the time of the server and of its processes, from the change until the findings of it are shown,
which is the same on a machine that others use (Linux: /proc).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CHANGES = 9
BURST = 20
# Seconds between the changes of a burst: somebody who types.
BETWEEN = 0.03


class Client:
    """An editor with one file."""

    def __init__(self, folder: Path, text: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from cleanguard.cli import main; main()", "lsp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.version = 0
        self.text = text
        self._uri = (folder / "edited.py").as_uri()
        opening = {"processId": None, "rootUri": folder.as_uri(), "capabilities": {}}
        self._send({"id": 1, "method": "initialize", "params": opening})
        while self._receive().get("id") != 1:
            pass
        self._send({"method": "initialized", "params": {}})
        document = {"uri": self._uri, "languageId": "python", "version": 0, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        self.found = len(self.shown()["diagnostics"])

    def change(self) -> None:
        """Another comment at the end."""
        self.version += 1
        document = {"uri": self._uri, "version": self.version}
        content = [{"text": f"{self.text}\n# {self.version}\n"}]
        params = {"textDocument": document, "contentChanges": content}
        self._send({"method": "textDocument/didChange", "params": params})

    def shown(self) -> Any:
        """The next findings that are published."""
        while True:
            message = self._receive()
            if message.get("method") == "textDocument/publishDiagnostics":
                return message["params"]

    def seconds(self) -> float:
        """Processor time of the server and its processes so far."""
        own = self._process.pid
        children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
        return sum(_ticks(pid) for pid in (own, *children)) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """Ends the server."""
        self._send({"id": 2, "method": "shutdown"})
        self._send({"method": "exit"})
        self._process.wait(10)

    def _send(self, message: Any) -> None:
        assert self._process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _receive(self) -> Any:
        assert self._process.stdout is not None
        length = 0
        while (line := self._process.stdout.readline().strip()) or not length:
            if not line and not length:
                raise SystemExit("the server has gone")
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return json.loads(self._process.stdout.read(length))


def _ticks(pid: int | str) -> int:
    """User and system time, with that of processes that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


def measure(file: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pyproject.toml").write_text("[tool.cleanguard]\n")
        text = file.read_text(encoding="utf-8")
        client = Client(folder, text)
        times: list[float] = []
        for _ in range(CHANGES):
            before = client.seconds()
            client.change()
            client.shown()
            times.append(client.seconds() - before)
        before = client.seconds()
        for _ in range(BURST):
            client.change()
            time.sleep(BETWEEN)
        checks = 1
        while client.shown()["version"] != client.version:
            checks += 1
        burst = client.seconds() - before
        client.close()
    lines = text.count("\n")
    print(
        f"{file.name}: {lines:,} lines, {client.found} findings; a change {statistics.median(times):.2f} s "
        f"({min(times):.2f} to {max(times):.2f}); {BURST} changes {checks} checks, {burst:.2f} s"
    )


if __name__ == "__main__":
    for given in sys.argv[1:]:
        measure(Path(given))
