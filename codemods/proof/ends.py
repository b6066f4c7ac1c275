"""How a trial run ended, in words."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SECONDS = 120


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended.

    Attributes:
        how: In words, behind "it": "exits with 3"; empty for a script that came to its end.
        comparable: What it asked until then can be compared: the script itself ended it.
        said: What it said last.
    """

    how: str = ""
    comparable: bool = True
    said: str = ""


def too_slow() -> End:
    """A run that took too long."""
    return End(
        f"took more than {SECONDS} s; a smaller run does, see --prove-args", comparable=False
    )


def end_of(told: Sequence[dict[str, Any]], code: int, errors: str, arguments: Sequence[str]) -> End:
    """How a run ended.

    Args:
        told: What the run told of its end, none where it was not asked.
        code: The exit code of its process; negative for a signal.
        errors: What it wrote to its standard error.
        arguments: The script's command line.
    """
    if code < 0:
        return End(f"was killed by {_signal(-code)}", comparable=False)
    if not told:
        how = "left without ending, as `os._exit` does"
        return End(how if code == 0 else f"{how}, with {code}", comparable=False)
    last = told[-1]
    if last.get("refused"):
        return End(f"was stopped: {last['refused']}", comparable=False)
    if last.get("raises") == "MemoryError":
        return End("ran out of memory", comparable=False)
    if last.get("raises"):
        said = str(last["said"])
        how = f"raises {last['raises']}{': ' if said else ''}{said}"
        return End(how, said=complaint(errors, code, arguments))
    if code:
        return End(f"exits with {code}", said=complaint(errors, code, arguments))
    return End()


def _signal(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return f"{name}, as a system does that is out of memory" if name == "SIGKILL" else name


def complaint(errors: str, code: int, arguments: Sequence[str]) -> str:
    """What a failed run said last; what argparse refuses is answered with the option.

    An error of several lines is told by its first: those below it are indented.
    """
    lines = errors.strip().splitlines() or [f"it ended with exit code {code}, without a message"]
    last = next((line for line in reversed(lines) if line and not line[0].isspace()), lines[-1])
    if code == 2 and "error:" in last:
        more = "" if arguments else "; give the script its command line with --prove-args"
        return f"{last.strip()}{more}"
    return last
