"""The command line. `main` is the console script; each command lives in a file of its own."""

from __future__ import annotations

import os
import sys
import traceback
from typing import NoReturn

import click

from cleanguard.cli.command_group import ReaderLeft, group
from cleanguard.cli.exit_codes import CANNOT_DO, CLEAN, INTERRUPTED
from cleanguard.errors import JobError

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line and leave with 0 (clean), 1 (findings) or 2 (could not do the job)."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = group.main(prog_name="cleanguard", standalone_mode=False) or CLEAN
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = CANNOT_DO
    except JobError as error:
        code = _complain(str(error))
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except (BrokenPipeError, ReaderLeft):
        # Nobody reads on; keep the interpreter from complaining when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = CANNOT_DO
    except Exception as error:  # noqa: BLE001 - a crash must never leave with 1, which says "findings"
        if os.environ.get("CLEANGUARD_DEBUG"):
            traceback.print_exc()
        code = _complain(
            f"internal error: {type(error).__name__}: {error}\n"
            "This is a fault in cleanguard, not in your files; nothing can be said about them.\n"
            "Run again with `cleanguard --debug …` for the traceback to report."
        )
    sys.exit(code)


def _complain(message: str) -> int:
    click.echo(f"cleanguard: {message}", err=True)
    return CANNOT_DO
