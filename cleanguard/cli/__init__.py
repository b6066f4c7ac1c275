"""The command line. `main` is the console script; each command lives in a file of its own."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click

from cleanguard.cli.command_group import ReaderLeft, group
from cleanguard.cli.exit_codes import CANNOT_DO, CLEAN, INTERRUPTED
from cleanguard.errors import JobError
from cleanguard.report.spoken import say

__all__ = ["main"]

# A full disk, a quota, a dead terminal: nothing that a caller could read about in the output itself.
_NO_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF, errno.EFBIG)

# What was named is nothing that a file can be called, or links to itself.
_NO_PATH = (errno.ENAMETOOLONG, errno.ELOOP)
_LONGEST = 4000  # characters of a complaint; more is a hostile name, and hides what is wrong


def main() -> NoReturn:
    """Run the command line and leave with 0 (clean), 1 (findings) or 2 (could not do the job)."""
    _give_streams()
    try:
        code = group.main(prog_name="cleanguard", standalone_mode=False) or CLEAN
        sys.stdout.flush()
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        say(shown.getvalue().rstrip("\n"), err=True)
        code = CANNOT_DO
    except JobError as error:
        code = _complain(str(error))
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except (BrokenPipeError, ReaderLeft):
        _drop_output()
        code = CANNOT_DO
    except OSError as error:
        if error.errno in _NO_PATH:
            code = _complain(
                f"{error.filename}: {(error.strerror or '').lower()}; name another path"
            )
        elif error.errno not in _NO_OUTPUT:
            code = _fault(error)
        else:
            _drop_output()
            where = error.filename or "the output"
            code = _complain(f"{where} cannot be written: {(error.strerror or '').lower()}")
    except Exception as error:  # noqa: BLE001 - a crash must never leave with 1, which says "findings"
        code = _fault(error)
    sys.exit(code)


def _give_streams() -> None:
    """Make the standard streams fit to be written to, also where the caller has closed some."""
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - for as long as the process lives
    if sys.stdout is None:
        sys.exit(_complain("standard output is closed, so there is nowhere to report to"))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Keep the interpreter from complaining when it flushes at exit what nobody can read."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fault(error: Exception) -> int:
    if os.environ.get("CLEANGUARD_DEBUG"):
        import traceback

        say(traceback.format_exc(), err=True)
    return _complain(
        f"internal error: {type(error).__name__}: {error}\n"
        "This is a fault in cleanguard, not in your files; nothing can be said about them.\n"
        "Run again with `cleanguard --debug …` for the traceback to report."
    )


def _complain(message: str) -> int:
    if len(message) > _LONGEST:
        message = f"{message[: _LONGEST // 2]} … {message[-_LONGEST // 2 :]}"
    say(f"cleanguard: {message}", err=True)
    return CANNOT_DO
