"""Writes the file that a command was asked for."""

from __future__ import annotations

from pathlib import Path

from cleanguard.editing.write import WriteError, put_file
from cleanguard.errors import JobError


def write_out(path: Path, text: str, problem: str) -> None:
    """Writes a text whole or not at all.

    Args:
        path: As the user named it.
        text: What to write.
        problem: What to say where it cannot be done: "cannot write the report".

    Raises:
        JobError: The system refused.
    """
    if not path.parent.is_dir():  # a misspelt folder is not made
        raise JobError(f"{path}: {problem}: no such file or directory")
    try:
        put_file(path, text.encode("utf-8", "backslashreplace"))
    except WriteError as error:
        reason = str(error).removeprefix(f"{path}: ").lower()
        raise JobError(f"{path}: {problem}: {reason}") from None
