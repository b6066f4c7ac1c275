"""The doors to the terminal: one for what is said to people, one for what programs read.

Whoever prints in another way fails tests/cleanguard/report/test_writers.py.
"""

from __future__ import annotations

import os
import sys

from cleanguard.report.escaping import for_log, for_terminal, is_command


def say(text: str, *, err: bool = False) -> None:
    """Prints text for people: nothing in it steers the terminal or the runner, and secrets are hidden.

    Args:
        text: Without its last line break.
        err: To the error stream.
    """
    stream = sys.stderr if err else sys.stdout
    stream.write(spelt(text) + "\n")
    stream.flush()


def spelt(text: str) -> str:
    """Text for people as `say` prints it."""
    from cleanguard.secrets.redaction import redact_text

    return for_log(for_terminal(redact_text(text)))


def put(text: str, *, err: bool = False) -> None:
    """Prints a page or a document that was escaped for its medium when it was made."""
    (sys.stderr if err else sys.stdout).write(text)


def put_bytes(content: bytes) -> None:
    """Prints bytes as they are: a patch, a fixed file.

    On a GitHub runner that would take a line of them for a command, it is told to take none meanwhile; what
    reads a patch passes over such lines.
    """
    import secrets

    sys.stdout.flush()
    out = sys.stdout.buffer
    guarded = os.environ.get("GITHUB_ACTIONS") == "true" and any(
        is_command(line) for line in content.decode("utf-8", "replace").splitlines()
    )
    token = secrets.token_hex(16)
    if guarded:
        out.write(f"::stop-commands::{token}\n".encode())
    out.write(content)
    if guarded:
        out.write(b"" if content.endswith(b"\n") else b"\n")
        out.write(f"::{token}::\n".encode())
    out.flush()
