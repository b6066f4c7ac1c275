"""Files that a command writes at its end: whether they can be written is known at its beginning."""

from __future__ import annotations

import os
from pathlib import Path

from cleanguard.errors import JobError


def writable(file: Path, *, make: bool = True) -> None:
    """Make the folder of a file, so that work is not done for nothing.

    Args:
        file: Will be written.
        make: False: its folder must be there.

    Raises:
        JobError: The folder is not there or cannot be made or written to, or the file is a folder.
    """
    if file.is_dir():
        raise JobError(f"{file} is a folder; name a file")
    try:
        if make:
            file.parent.mkdir(parents=True, exist_ok=True)
        elif not file.parent.is_dir():
            raise JobError(f"{file} cannot be written: there is no folder {file.parent}")
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise JobError(f"{file}: its folder cannot be made: {reason}") from None
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise JobError(f"{file} cannot be written: permission denied")
