"""Scorers of the user's own: `python:module.function`, called with an answer and its item.

They run in a process of their own, one for the whole run, which is ended where a call takes too long;
the next call starts it again. Their prints go to the error stream.
"""

from __future__ import annotations

import atexit
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from stages.config import option
from stages.suites.child import Child
from stages.suites.functions import PREFIX
from stages.suites.item import SuiteError, SuiteItem
from stages.suites.unjudged import UnjudgedError

SECONDS = 60.0
ALLOW_MORE = "mend it, or allow more with --scorer.seconds"
_STARTING = (
    30.0  # beyond the limit, for what stands in no call: the start, and a machine that is busy
)
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop())\n"
    "from stages.suites.functions import serve; serve()"
)
_PLACE = re.compile(r'  File "(.+)", line (\d+) in (.+)')


@dataclass(frozen=True)
class ScorerConfig:
    """Scorers of one's own, `python:module.function`."""

    seconds: float = option(
        SECONDS, "Most time for one answer; what takes longer is `unjudged` and wrong.",
        at_least=0.1, at_most=86_400,
    )  # fmt: skip

    def allow(self) -> None:
        """Let every call from here on take that long."""
        global _seconds  # noqa: PLW0603 - one run, one limit; suites are read in many places
        _seconds = self.seconds


def look_up(name: str, folder: Path | None) -> Path | None:
    """The file that a scorer's function stands in, None if there is none.

    Args:
        name: `python:module.function`; the module is looked for beside the suite, in the folder
            that the run was started in, and among what is installed.
        folder: Where the suite lies; the function's calls will look there as well.

    Raises:
        SuiteError: There is no such module or function, or it fails or hangs when it is imported.
    """
    where, _, function = name.removeprefix(PREFIX).rpartition(".")
    if not where or not function.isidentifier():
        raise SuiteError(f"scorer is {name!r}; expected python:module.function")
    if folder is not None:
        _folders[name] = folder.resolve()
    try:
        file = _ask(name, f"scorer is {name!r}, and importing it")["file"]
    except UnjudgedError as error:
        raise SuiteError(f"{error}; {ALLOW_MORE}") from None
    return None if file is None else Path(file)


def by_code(item: SuiteItem, text: str) -> bool:
    """The verdict of the user's function.

    Raises:
        SuiteError: It raises, ends its process, or returns something else than True or False.
        UnjudgedError: It takes too long.
    """
    answer = _ask(item.scorer, item.scorer, text=text, item=handed(item))
    return bool(answer["verdict"])


def handed(item: SuiteItem) -> dict[str, Any]:
    """What the function is told of an item."""
    return {
        "id": item.id,
        "prompt": item.prompt,
        "gold": list(item.gold),
        "cluster": item.cluster,
        "slice": item.slice,
        "data": None if item.data is None else json.loads(item.data),
    }


def source_digests(items: tuple[SuiteItem, ...], folder: Path | None) -> dict[str, str | None]:
    """SHA-256 of the files that the scorers stand in; None for one that has none."""
    found: dict[str, str | None] = {}
    for name in sorted({item.scorer for item in items if item.scorer.startswith(PREFIX)}):
        file = look_up(name, folder)
        try:
            found[name] = sha256(file.read_bytes()).hexdigest() if file else None
        except OSError:
            found[name] = None
    return found


_seconds = SECONDS
_folders: dict[str, Path] = {}
_child = Child(lambda: (sys.executable, "-c", _PROGRAM, json.dumps(sys.path)))
atexit.register(_child.close)


def _ask(name: str, what: str, **more: Any) -> dict[str, Any]:
    folder = _folders.get(name)
    request = {
        "name": name,
        "folder": None if folder is None else str(folder),
        "cwd": str(Path.cwd()),
        "seconds": _seconds,
        **more,
    }
    said = _child.ask(json.dumps(request), _seconds + _STARTING)
    if said and said[0].startswith("{"):
        answer: dict[str, Any] = json.loads(said[0])
        if "refused" in answer:
            raise SuiteError(answer["refused"])
        return answer
    if said is None or said:
        raise UnjudgedError(f"{what} took more than {_seconds:g} s{_place(said)}")
    on = f" on the answer {more['text']!r}" if "text" in more else " while it is imported"
    raise SuiteError(f"{name} ends its process{on}; expected True or False")


def _place(said: Sequence[str] | None) -> str:
    """The line of the scorer at which it stood, from the watchdog's traceback."""
    found: list[str] = []
    for line in said or ():
        place = _PLACE.match(line)
        if place is None:
            found = []
        elif place[1].endswith("functions.py") and place[3].strip() in {"_answer", "function_of"}:
            return f" ({found[-1]})" if found else ""
        elif "importlib" not in place[1]:
            found.append(f"{place[1]}:{place[2]}")
    return ""
