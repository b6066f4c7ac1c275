"""Runs a script under watch, as it is: its own process, arguments, streams and signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from cleanguard.errors import JobError
from cleanguard.settings.config import Settings

_FORWARDED = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


def run(python: Sequence[str], folder: Path, settings: Settings) -> tuple[int, int]:
    """Run Python with arguments, its processes writing their journals into a folder.

    Returns:
        The process's number, and its exit code: 128 and the signal's number if one killed it.

    Raises:
        JobError: Python cannot be started.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        process = subprocess.Popen([sys.executable, *python], env=_environment(folder, settings))
    except OSError as error:
        raise JobError(f"{sys.executable} cannot be started: {error.strerror}") from None
    with _signals_for(process):
        code = process.wait()
    return process.pid, 128 - code if code < 0 else code


def _environment(folder: Path, settings: Settings) -> dict[str, str]:
    import guard.tracing
    from guard.tracing.session import scope_of

    at_start = Path(guard.tracing.__file__).parent / "at_start"
    paths = [str(at_start), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "CLEANGUARD_TRACE": str(folder),
        "CLEANGUARD_TRACE_SCOPE": json.dumps(scope_of(settings)),
    }


@contextmanager
def _signals_for(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Signals go to the script; what it then does is reported as ever."""

    def forward(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    def interrupt(number: int, _frame: FrameType | None) -> None:
        # A terminal sends Ctrl-C to the script as well.
        if not _in_foreground():
            process.send_signal(number)

    before: dict[int, Any] = {}
    for name in _FORWARDED:
        if hasattr(signal, name):
            number = getattr(signal, name)
            before[number] = signal.signal(number, forward)
    before[signal.SIGINT] = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_foreground() -> bool:
    try:
        with open("/dev/tty", "rb") as terminal:  # noqa: PTH123 - a device
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
