"""Keeps a trial run from writing anywhere but into its scratch copy."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Audit events of calls that change a path, with the arguments that name one.
_CHANGES = {
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.truncate": (0,),
    "shutil.rmtree": (0,),
}


def confine(scratch: Path, original: Path) -> None:
    """From now on, this process may write into the scratch copy and into caches, nowhere else.

    Caches are hidden folders (`~/.cache`) and the system's folder for temporary files. Directories
    may be made anywhere: an empty one harms nothing.

    Args:
        scratch: The copy.
        original: What it is a copy of; it is out of bounds wherever it lies.
    """
    copy, source = os.path.realpath(scratch), os.path.realpath(original)
    caches = [os.path.realpath(path) for path in (tempfile.gettempdir(), "/dev")]

    def refuse(path: Any) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return  # an open descriptor
        real = os.path.realpath(os.fsdecode(path))
        if _is_in(real, copy):
            return
        hidden = any(part.startswith(".") for part in Path(real).parts)
        if not _is_in(real, source) and (hidden or any(_is_in(real, root) for root in caches)):
            return
        raise PermissionError(
            f"the script writes to {os.fsdecode(path)}, which a trial run must not touch; "
            "give it a relative path"
        )

    def watch(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = args
            wants = any(letter in mode for letter in "wax+") if mode else bool(flags & _WRITES)
            if wants:
                refuse(path)
        elif event in _CHANGES:
            for index in _CHANGES[event]:
                refuse(args[index])

    sys.addaudithook(watch)


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
